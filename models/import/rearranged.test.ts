import assert from "node:assert/strict";
import { test } from "node:test";
import { columnsInOrder, firstRows, outputsInOrder, rowsInOrder } from "./rearranged.js";
import type { WeightSource } from "./weights.js";

const source = (shape: number[], ...values: number[]): WeightSource => ({
  name: "w",
  shape,
  read: async () => Float32Array.from(values),
});
const matrix = source([3, 2], 1, 2, 3, 4, 5, 6);
const vector = source([3], 1, 2, 3);

async function assertHolds(weight: WeightSource | null, shape: number[], ...values: number[]) {
  assert.equal(weight?.name, "w");
  assert.deepEqual(weight.shape, shape);
  assert.deepEqual([...(await weight.read())], values);
}

test("rows and elements come in the order that is asked for, some of them twice or not at all", async () => {
  await assertHolds(rowsInOrder(matrix, [2, 0, 2, 1]), [4, 2], 5, 6, 1, 2, 5, 6, 3, 4);
  await assertHolds(rowsInOrder(vector, [1, 0]), [2], 2, 1);
});

test("columns come in the order that is asked for", async () => {
  await assertHolds(columnsInOrder(matrix, [1, 0, 0]), [3, 3], 2, 1, 1, 4, 3, 3, 6, 5, 5);
});

test("a layer's outputs are its rows and the elements of its bias", async () => {
  const { weight, bias } = outputsInOrder({ weight: matrix, bias: vector }, [2, 1]);
  await assertHolds(weight, [2, 2], 5, 6, 3, 4);
  await assertHolds(bias, [2], 3, 2);
  assert.equal(outputsInOrder({ weight: matrix, bias: null }, [0]).bias, null);
});

test("the first rows and elements are cut off", async () => {
  await assertHolds(firstRows(matrix, 2), [2, 2], 1, 2, 3, 4);
  await assertHolds(firstRows(vector, 1), [1], 1);
});
