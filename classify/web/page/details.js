// The details of songs, asked for once: both the panel and the player's curve need them, and to hear a song
// whole for the first time takes the service a second or two.

import { askJson } from "./api.js";
import { on, state } from "./state.js";

const MOST = 30;
/** @type {Map<string, Promise<any>>} */
const known = new Map();

/** @param {string} id @returns {Promise<any>} the answer of /v1/songs/{id} */
export function details(id) {
  const key = `${state.taste}\n${id}`;
  const found = known.get(key);
  if (found) return found;
  const asked = askJson(`/songs/${id}`, { params: { taste: state.taste } });
  known.set(key, asked);
  asked.catch(() => known.delete(key));
  if (known.size > MOST) known.delete(known.keys().next().value);
  return asked;
}

/** Must be set up before the parts that ask again on the same events. */
export function startDetails() {
  on("labelled", () => known.clear());
  on("library", () => known.clear());
}
