// Prepares a graph for this machine, in a process of its own: `node prepare.js GRAPH FOLDER`.
import { prepareGraph } from "./onnx/prepare.js";

const [graph, folder] = process.argv.slice(2) as [string, string];
await prepareGraph(graph, folder);
