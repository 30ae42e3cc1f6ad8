import { createContext } from "preact";
import { useContext } from "preact/hooks";

/** What all views share of the server and the key. */
export interface Session {
  /** The served model's name; empty until it is known. */
  model: string;
  /** Its context, in tokens; infinite until it is known. */
  context: number;
  /** Whether it can chat; true until it is known. A model without a chat template only continues texts. */
  chats: boolean;
  /** Whether the server asks for keys, as far as this page knows. */
  keyed: boolean;
  /** Changes with the key: what was loaded with another one is loaded again. */
  generation: number;
  /** Lets the page react to an error: after a 401 it asks for a key. */
  report(error: unknown): void;
  /** Takes over a new key, or that there is none. */
  keyChanged(): void;
  /** Says something to screen readers. */
  say(text: string): void;
}

const nothing = () => {};
export const SessionContext = createContext<Session>({
  model: "",
  context: Number.POSITIVE_INFINITY,
  chats: true,
  keyed: false,
  generation: 0,
  report: nothing,
  keyChanged: nothing,
  say: nothing,
});
export const useSession = (): Session => useContext(SessionContext);
