import { testOn } from "./on-node.mjs";

testOn(20);
