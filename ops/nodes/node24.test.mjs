import { testOn } from "./on-node.mjs";

testOn(24);
