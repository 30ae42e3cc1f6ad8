/** The data folder can't be used. The message is one line that can be shown to the user alone. */
export class StoreError extends Error {
  override name = "StoreError";
}

/** Another server uses the data folder. */
export class FolderInUse extends StoreError {
  override name = "FolderInUse";
  constructor(readonly folder: string) {
    super(
      `cannot keep jobs in ${folder}: another server uses it; name another folder (JAI_DATA_DIR) and port (JAI_PORT)`,
    );
  }
}

/** The disk failed a write, and has taken none since. Nothing is promised until it does. */
export class StoreUnwritable extends StoreError {
  override name = "StoreUnwritable";
}

/** The disk can't be read for the moment, for example while a failed write can't be rolled back. A later read may succeed. */
export class StoreUnreadable extends StoreError {
  override name = "StoreUnreadable";
}

/** A record is not what was written, and has no other copy. It is never served. */
export class RecordDamaged extends StoreError {
  override name = "RecordDamaged";
}
