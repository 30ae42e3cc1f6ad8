/** What to do with a file that holds code, or that is too old to be read. */
export const SAVE_STATE_DICT =
  'load it in PyTorch and save a state dict: torch.save(model.state_dict(), "model.pt")';

/** Bytes at a file's beginning that `kindOf` looks at. */
export const KIND_BYTES = 512;

export function isZip(start: Buffer): boolean {
  return start.subarray(0, 4).equals(Buffer.from("PK\x03\x04", "latin1"));
}

/** safetensors: eight bytes of length, then a JSON object. No other format begins like this by chance. */
export function isSafetensors(start: Buffer): boolean {
  return start[8] === 0x7b && start.readUInt16LE(6) === 0;
}

/** What kind of file can't be imported. "Not a zip" doesn't help somebody with an old or half-copied checkpoint. */
export function kindOf(start: Buffer): string {
  if (start.length === 0) return "an empty file";
  if (start[0] === 0x80 && start[1]! <= 5)
    return 'a bare pickle, as PyTorch wrote before 1.6; load it with a newer PyTorch and torch.save it again, best its state dict: torch.save(model.state_dict(), "model.pt")';
  if (isTar(start)) return `a tar archive, as PyTorch wrote before 0.4; ${SAVE_STATE_DICT}`;
  if (start[0] === 0x1f && start[1] === 0x8b) return "a gzip file; unpack it first";
  if (start.subarray(0, 4).equals(Buffer.from("GGUF"))) return "a GGUF file";
  if (start.subarray(0, 8).equals(Buffer.from("\x89HDF\r\n\x1a\n", "latin1")))
    return "an HDF5 file, as Keras writes";
  if (start.toString("latin1", 0, 4) === "24ka")
    return "a newer .bin of llama2.c; import its ckpt.pt, or export it with --version 0";
  if (isSafetensors(start)) return "what looks like a safetensors file";
  if (start.toString("latin1", 0, 40).startsWith("version https://git-lfs.github.com/"))
    return "a pointer of Git LFS in place of the file; run git lfs pull";
  if (start.subarray(0, 16).every((byte) => byte >= 0x20 || (byte >= 0x09 && byte <= 0x0d)))
    return "what looks like text";
  return `a file that starts with the bytes ${start.subarray(0, 4).toString("hex")}`;
}

function isTar(start: Buffer): boolean {
  return start.length >= 262 && start.toString("latin1", 257, 262) === "ustar";
}
