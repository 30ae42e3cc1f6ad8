/*
 * ONNX Runtime 1.30 reports its use over the network and keeps a device id in the user's cache folder, unless this is set
 * before the first session. It reads the process's own environment, of which a worker has a copy: the main thread has to
 * import this before it starts one.
 */
process.env.ORT_DISABLE_TELEMETRY ??= "1";
