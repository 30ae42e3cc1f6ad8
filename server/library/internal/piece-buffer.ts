import type { GenerateResult } from "../generate-result.js";
import type { GenerationStream, TextPiece } from "../generation-stream.js";

/** The pieces that have come and are not read yet, between a generation and its reader. */
export class PieceBuffer implements GenerationStream {
  readonly result: Promise<GenerateResult>;
  readonly #leave: () => void;
  #pieces: TextPiece[] = [];
  #wake: () => void = () => {};
  #ended = false;
  #read = false;

  /**
   * @param run generates, and pushes each piece as it comes
   * @param leave gives up, if it is not over
   */
  constructor(run: (push: (piece: TextPiece) => void) => Promise<GenerateResult>, leave: () => void) {
    this.#leave = leave;
    this.result = run((piece) => {
      this.#pieces.push(piece);
      this.#wake();
    });
    const end = () => {
      this.#ended = true;
      this.#wake();
    };
    this.result.then(end, end);
  }

  [Symbol.asyncIterator](): AsyncGenerator<TextPiece, void, void> {
    if (this.#read) throw new Error("expected one reader of the stream, got another");
    this.#read = true;
    const reader = this.#readAll();
    // A generator that is left before its first piece has not begun, and runs no `finally`.
    const { return: leave } = reader;
    reader.return = (value) => {
      this.#leave();
      return leave.call(reader, value);
    };
    return reader;
  }

  async *#readAll(): AsyncGenerator<TextPiece, void, void> {
    try {
      while (!this.#ended || this.#pieces.length > 0) {
        yield* this.#pieces.splice(0);
        if (!this.#ended && this.#pieces.length === 0)
          await new Promise<void>((resolve) => {
            this.#wake = resolve;
          });
      }
      await this.result;
    } finally {
      this.#leave();
    }
  }
}
