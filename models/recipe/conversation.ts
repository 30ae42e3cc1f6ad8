import { DEMAND_SHARES } from "./demands.js";
import { type DemandKind, TALKS, type Talk } from "./language.js";
import { addDemand, askAnother, askAsJson, askNth, askOtherPlace, askOtherRole, askValue } from "./later.js";
import { ask, askAlone } from "./opening.js";
import type { Scene } from "./scene.js";
import { askUnknown, makeTalk, TALK_SHARES } from "./talk.js";
import type { Action, Turn } from "./turn.js";

/**
 * The next turn of a conversation, or null where the action doesn't fit here, or by chance: try another.
 * @param about the talk, or the one demand, that it is for
 */
export function takeTurn(scene: Scene, action: Action, about?: Talk | DemandKind): Turn | null {
  const talk = TALKS.find((known) => known === about);
  const wanted = DEMAND_SHARES.find((known) => known === about) ?? null;
  switch (action) {
    case "ask":
    case "demand":
    case "demands":
    case "whether":
    case "field":
    case "json":
    case "jsonWhole":
      return ask(scene, action, wanted);
    case "place":
    case "role":
      return askAlone(scene, action);
    case "unknown":
      return askUnknown(scene);
    case "talk":
      return makeTalk(scene, talk ?? scene.random.pick(TALK_SHARES));
    case "~place":
      return askOtherPlace(scene);
    case "~role":
      return askOtherRole(scene);
    case "~demand":
      return addDemand(scene, wanted);
    case "~field":
      return askValue(scene);
    case "~another":
      return askAnother(scene);
    case "~nth":
      return askNth(scene);
    case "~json":
    case "~jsonWhole":
      return askAsJson(scene, action);
  }
}
