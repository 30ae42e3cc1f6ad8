import type { GenerateResult } from "../generate-result.js";
import type { GenerationStream, TextPiece } from "../generation-stream.js";

/** Buffers a generation's pieces until the reader takes them. */
export class PieceBuffer implements GenerationStream {
  readonly result: Promise<GenerateResult>;
  readonly #leave: () => void;
  #pieces: TextPiece[] = [];
  #wake: () => void = () => {};
  #ended = false;
  #read = false;

  /**
   * @param run generates, and pushes each piece
   * @param leave cancels the generation if it still runs
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
    // Leaving a generator before its first piece runs none of its code, not even `finally`.
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
