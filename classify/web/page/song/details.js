// The details of songs, asked for once: both the panel and the player's curve need them, and to hear a song
// whole for the first time takes the service a second or two. What nobody waits for any more is given up, so
// that the keyboard may run through a hundred songs and the one it stops at is heard first.

import { askJson } from "../base/api.js";
import { on, state } from "../base/state.js";

const MOST = 30;

/** @typedef {{key: string, answer: Promise<any>, abort: AbortController, waiting: Set<string>}} Asked */
/** @type {Map<string, Asked>} */
const known = new Map();
/** What each part of the page has asked for last. @type {Map<string, Asked>} */
const latest = new Map();

/**
 * @param {string} id
 * @param {string} who asks; it no longer waits for the song that it asked for before
 * @returns {Promise<any>} the answer of /v1/songs/{id}; AbortError where nobody waited for it
 */
export function details(id, who) {
  const key = `${state.taste}\n${id}`;
  const asked = known.get(key) ?? ask(key, id);
  const before = latest.get(who);
  latest.set(who, asked);
  asked.waiting.add(who);
  if (before && before !== asked) leave(before, who);
  return asked.answer;
}

function ask(key, id) {
  const abort = new AbortController();
  const answer = askJson(`/songs/${id}`, { params: { taste: state.taste }, signal: abort.signal });
  const asked = { key, answer, abort, waiting: new Set() };
  known.set(key, asked);
  answer.then(
    () => asked.waiting.add("the next one"), // an answer is kept for whoever asks again
    () => forget(asked),
  );
  if (known.size > MOST) known.delete(known.keys().next().value);
  return asked;
}

function leave(asked, who) {
  asked.waiting.delete(who);
  if (asked.waiting.size) return;
  forget(asked);
  asked.abort.abort();
}

function forget(asked) {
  if (known.get(asked.key) === asked) known.delete(asked.key);
}

/** Must be set up before the parts that ask again on the same events. */
export function startDetails() {
  on("labelled", () => known.clear());
  on("library", () => known.clear());
}
