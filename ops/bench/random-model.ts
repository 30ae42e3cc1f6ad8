export async function writeRandomModel(
  _work: string,
  _vocabulary: number,
): Promise<{ checkpoint: string; tokenizer: string }> {
  throw new Error("not yet");
}
