import { type DemandKind, ORDERS, type Order, type Talk } from "./language.js";
import type { Random } from "./random.js";
import { fit } from "./style.js";
import { ACTIONS, type Action } from "./turn.js";

/** A turn's action, and for a talk or a demand, which. */
export type Step = Action | `talk ${Talk}` | `${"demand" | "whether" | "~demand"} ${DemandKind}`;

/** A sort of conversation: its system message, and its turns. */
export interface Plan {
  orders: readonly Order[];
  steps: readonly Step[];
}

/** How often a conversation begins with an action, and goes on with it. */
const SHARES: Readonly<Record<Action, readonly [first: number, later: number]>> = {
  ask: [20, 5],
  demand: [22, 3],
  demands: [5, 1],
  whether: [6, 1],
  field: [8, 1],
  place: [10, 2],
  role: [9, 2],
  unknown: [5, 2],
  talk: [17, 8],
  json: [5, 1],
  jsonWhole: [3, 0],
  "~place": [0, 16],
  "~role": [0, 14],
  "~demand": [0, 13],
  "~field": [0, 34],
  "~another": [0, 7],
  "~nth": [0, 45],
  "~json": [0, 24],
  "~jsonWhole": [0, 10],
};
const pool = (at: 0 | 1) => ACTIONS.flatMap((action) => new Array<Action>(SHARES[action][at]).fill(action));
const FIRST = pool(0);
const LATER = pool(1);

const SYSTEM_SHARE = 0.5;
/** A name and an ending are words to copy, which takes the most practice; one place or role, to compare. */
const ORDER_SHARES: readonly Order[] = [...ORDERS, "persona", "persona", "ending", "ending", "place", "role"];

export function inventOrders(random: Random): Order[] {
  if (!random.chance(SYSTEM_SHARE)) return [];
  const orders = [random.pick(ORDER_SHARES)];
  const second = random.pick(ORDER_SHARES);
  if (random.chance(0.3) && fit(orders[0] as Order, second)) orders.push(second);
  return orders;
}

export const inventTurns = (random: Random): number => random.pick([1, 1, 1, 2, 2, 2, 2, 3, 3, 4]);

/** Small talk in which a model says who it is. */
const OF_ITSELF: readonly Talk[] = ["name", "name", "about", "greeting", "abilities"];

/** The next action. A name that a system message gives is worth asking for. */
export function inventStep(random: Random, index: number, orders: readonly Order[]): [Action, Talk?] {
  if (orders.includes("persona") && random.chance(0.6)) return ["talk", random.pick(OF_ITSELF)];
  return [random.pick(index === 0 ? FIRST : LATER)];
}

/** What an evaluation asks, by the name of its kind; the last turn is the one that counts. */
export const EVALUATION: readonly (readonly [kind: string, count: number, plan: Plan])[] = [
  ["place and role", 24, { orders: [], steps: ["ask"] }],
  ["a field", 14, { orders: [], steps: ["field"] }],
  ["remote work", 14, { orders: [], steps: ["demand remote"] }],
  ["remote work", 12, { orders: [], steps: ["whether remote"] }],
  ["newcomers", 12, { orders: [], steps: ["demand newcomer"] }],
  ["permanent", 8, { orders: [], steps: ["demand permanent"] }],
  ["skill", 12, { orders: [], steps: ["demand skill"] }],
  ["pay", 12, { orders: [], steps: ["demand pay"] }],
  ["deadline", 8, { orders: [], steps: ["demand deadline"] }],
  ["two demands", 12, { orders: [], steps: ["demands"] }],
  ["a place alone", 8, { orders: [], steps: ["place"] }],
  ["a role alone", 8, { orders: [], steps: ["role"] }],
  ["unknown place or role", 8, { orders: [], steps: ["unknown"] }],
  ["small talk", 4, { orders: [], steps: ["talk greeting"] }],
  ["small talk", 4, { orders: [], steps: ["ask", "talk thanks"] }],
  ["about itself", 6, { orders: [], steps: ["talk about"] }],
  ["about itself", 6, { orders: [], steps: ["talk name"] }],
  ["about itself", 4, { orders: [], steps: ["talk abilities"] }],
  ["about itself", 4, { orders: [], steps: ["ask", "talk real"] }],
  ["outside its domain", 12, { orders: [], steps: ["talk outside"] }],
  ["JSON", 14, { orders: [], steps: ["json"] }],
  ["JSON", 8, { orders: [], steps: ["jsonWhole"] }],
  ["later: another place", 14, { orders: [], steps: ["ask", "~place"] }],
  ["later: another place, demand kept", 10, { orders: [], steps: ["demand", "~place"] }],
  ["later: another role", 14, { orders: [], steps: ["ask", "~role"] }],
  ["later: a role of a place", 8, { orders: [], steps: ["place", "~role"] }],
  ["later: a field", 20, { orders: [], steps: ["ask", "~field"] }],
  ["later: a field, thanks between", 8, { orders: [], steps: ["ask", "talk thanks", "~field"] }],
  ["later: a demand", 12, { orders: [], steps: ["ask", "~demand"] }],
  ["later: another posting", 8, { orders: [], steps: ["ask", "~another"] }],
  ["later: one of a list", 8, { orders: [], steps: ["place", "~nth"] }],
  ["later: JSON", 14, { orders: [], steps: ["ask", "~json"] }],
  ["later: JSON", 8, { orders: [], steps: ["ask", "~jsonWhole"] }],
  ["later: three turns", 10, { orders: [], steps: ["ask", "~place", "~field"] }],
  ["later: three turns", 8, { orders: [], steps: ["ask", "~field", "~json"] }],
  ["system: nothing special", 8, { orders: ["none"], steps: ["ask"] }],
  ["system: brief", 10, { orders: ["brief"], steps: ["ask"] }],
  ["system: plain speech", 10, { orders: ["plain"], steps: ["ask"] }],
  ["system: one place", 14, { orders: ["place"], steps: ["ask"] }],
  ["system: one role", 10, { orders: ["role"], steps: ["ask"] }],
  ["system: JSON", 10, { orders: ["json"], steps: ["ask"] }],
  ["system: JSON with keys", 12, { orders: ["jsonKeys"], steps: ["ask"] }],
  ["system: a name", 10, { orders: ["persona"], steps: ["talk name"] }],
  ["system: an ending", 10, { orders: ["ending"], steps: ["ask"] }],
  ["system: some fields", 10, { orders: ["fields"], steps: ["ask"] }],
  ["system, later", 6, { orders: ["brief"], steps: ["ask", "~field"] }],
  ["system, later", 6, { orders: ["json"], steps: ["ask", "~place"] }],
  ["system, later", 6, { orders: ["plain"], steps: ["ask", "~role"] }],
];
