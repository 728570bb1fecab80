// Where the next song comes from: the list from where it plays, or the queue of finds. Likes and dislikes while
// the queue plays shape what comes next.

import { askJson, askSongs } from "../base/api.js";
import { say, sayError } from "../base/announce.js";
import { byId, settings } from "../base/dom.js";
import { labelOf } from "../songs/labelling.js";
import { pages } from "../songs/list.js";
import { beginningOf, findBeginning, soon } from "./beginnings.js";
import { findGain } from "./level.js";
import { hear, playFrom, sourceName, step } from "./player.js";
import { emit, on, state } from "../base/state.js";

const LONG = 60; // songs that are put into the queue at once
const NEAR = 3; // songs before its end at which more are asked for
const PAGE = 200;
const FEW = 5; // with fewer likely ones the unsure ones are played, too
const best = byId("best-moment");
let place = -1; // in the list, of what plays
let left = false;
/** @type {any[]} the queue: what was played, what plays, what comes */
let queue = [];
let at = -1;
/** What is asked for at the queue's end. @type {Promise<void> | null} */
let coming = null;

const list = {
  name: "list",
  next: async (by) => {
    const index = place + (left && by > 0 ? by - 1 : by);
    if (index < 0 || (pages.matched >= 0 && index >= pages.matched)) return null;
    const song = await pages.load(index);
    if (song) [place, left] = [index, false];
    return song ?? null;
  },
  peek: () => pages.at(place + 1) ?? null,
};

const finds = {
  name: "finds",
  next: async (by) => {
    if (at + by < 0) return null;
    if (at + by >= queue.length) await extend();
    if (at + by >= queue.length) return over();
    at += by;
    look();
    return queue[at];
  },
  peek: () => queue[at + 1] ?? null,
  levelled: true,
  begin: (song) => (best.checked ? beginningOf(song) : null),
};

export function startSources() {
  best.checked = settings.get("best-moment") !== "off";
  best.addEventListener("change", () => settings.set("best-moment", best.checked ? "on" : "off"));
  on("list", () => {
    const now = state.playing ? pages.indexOf(state.playing.id) : -1;
    if (now >= 0) place = now;
    // What is liked while it plays leaves a list of finds, and the next one stands in its place.
    left = now < 0 && state.query.label === "none" && Boolean(state.playing?.label);
  });
  on("label", ({ id, label }) => {
    if (sourceName() === "finds" && label === "dislike" && id === state.playing?.id) step(1);
  });
  on("labelled", ({ more }) => !more && sourceName() === "finds" && reshape());
  on("taste", () => ((queue = []), (at = -1), playFrom(list)));
}

/** Play from the list: a row's button or the row itself. */
export function fromList(act) {
  return (song, index = pages.indexOf(song.id)) => {
    if (index >= 0) place = index;
    left = false;
    playFrom(list);
    act(song);
  };
}

/** Play what the listener would like: the finds, best first. */
export async function playFinds() {
  try {
    queue = await askFinds([]);
  } catch (error) {
    return sayError(error);
  }
  at = 0;
  if (!queue.length) return say("Nothing is likely yet: teach a few more songs.");
  playFrom(finds);
  await soon(prepare(queue[0]));
  hear(queue[0]);
  look();
  return undefined;
}

/** What comes next in the queue; empty where the list plays. */
export function upcoming() {
  return sourceName() === "finds" ? queue.slice(at + 1) : [];
}

/** Play a song of the queue now. */
export function skipTo(song) {
  const index = queue.indexOf(song);
  if (index < 0) return;
  at = index;
  hear(song);
  look();
}

/** The best finds beside those that the queue had, as the taste has them now. @param {any[]} had */
async function askFinds(had) {
  const known = new Set(had.map((song) => song.id));
  const likely = await findsOf("like", known);
  if (likely.matched >= FEW) return likely.found;
  return [...likely.found, ...(await findsOf("unsure", known)).found];
}

async function findsOf(verdict, known) {
  const query = { q: "", sort: "score", order: "desc", label: "none", verdict };
  for (let offset = 0; ; offset += PAGE) {
    const { songs, matched } = await askSongs(query, offset, PAGE);
    const found = songs.filter((song) => !known.has(song.id) && !labelOf(song)).slice(0, LONG);
    if (found.length || offset + PAGE >= matched) return { found, matched };
  }
}

/** Put more finds at the queue's end, where there are more. */
function extend() {
  coming ??= more().finally(() => (coming = null));
  return coming;
}

async function more() {
  const had = queue;
  try {
    const fresh = await askFinds(had);
    if (queue !== had || !fresh.length) return; // another queue plays, or has been shaped
    queue = [...had, ...fresh];
    emit("queue");
  } catch (error) {
    sayError(error);
  }
}

/** The songs to come in the order that the taste has now; those that were played or labelled do not return. */
async function reshape() {
  try {
    const fresh = await askFinds(queue.slice(0, at + 1));
    if (sourceName() !== "finds") return;
    const played = queue.slice(0, at + 1); // somebody may have skipped one meanwhile
    queue = [...played, ...fresh.filter((song) => !played.some(({ id }) => id === song.id))];
    look();
  } catch (error) {
    sayError(error);
  }
}

function over() {
  say("Those were all your finds. Teach a few more songs, and there will be more.");
  return null;
}

/** Tell who shows the queue, and find where its next song begins. */
function look() {
  emit("queue");
  findGain(queue[at]);
  const next = queue[at + 1];
  if (next) prepare(next);
  if (at + NEAR >= queue.length) extend();
}

/** Find where a song begins, and how loud it is. */
function prepare(song) {
  return Promise.all([findBeginning(song, "next"), findGain(song)]);
}

/** How many songs a taste would like. @returns {Promise<any>} the counts of verdicts among the finds */
export async function countFinds() {
  const params = { taste: state.taste, label: "none", once: true, limit: 1 };
  return (await askJson("/songs", { params })).groups;
}
