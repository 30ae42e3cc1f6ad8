/** An entry's place in its line. */
export interface Node<T> {
  readonly value: T;
  line: Line<T> | null;
  previous: Node<T> | null;
  next: Node<T> | null;
}

/** A linked list: first in, first out, but an entry may leave from anywhere. Every method is O(1). */
export class Line<T> {
  #first: Node<T> | null = null;
  #last: Node<T> | null = null;

  get first(): Node<T> | null {
    return this.#first;
  }

  push(value: T): Node<T> {
    const node: Node<T> = { value, line: this, previous: this.#last, next: null };
    if (this.#last === null) this.#first = node;
    else this.#last.next = node;
    this.#last = node;
    return node;
  }

  remove(node: Node<T>): void {
    if (node.line !== this) return;
    if (node.previous === null) this.#first = node.next;
    else node.previous.next = node.next;
    if (node.next === null) this.#last = node.previous;
    else node.next.previous = node.previous;
    node.line = null;
  }
}
