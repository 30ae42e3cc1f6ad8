/**
 * The k-th largest of the first `count` values, by a min-heap of the k largest so far.
 * @param heap room for `k` values
 */
export function kthLargest(values: Float32Array, count: number, k: number, heap: Float32Array): number {
  heap.set(values.subarray(0, k));
  for (let i = (k >> 1) - 1; i >= 0; i--) siftDown(heap, i, k);
  for (let i = k; i < count; i++) {
    if (values[i]! > heap[0]!) {
      heap[0] = values[i]!;
      siftDown(heap, 0, k);
    }
  }
  return heap[0]!;
}

function siftDown(heap: Float32Array, start: number, size: number): void {
  const value = heap[start]!;
  let parent = start;
  for (;;) {
    let child = 2 * parent + 1;
    if (child >= size) break;
    if (child + 1 < size && heap[child + 1]! < heap[child]!) child++;
    if (heap[child]! >= value) break;
    heap[parent] = heap[child]!;
    parent = child;
  }
  heap[parent] = value;
}
