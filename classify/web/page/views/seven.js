// The second step: about seven songs that the listener likes. A big search, artists to begin with, songs from
// far-apart corners of the library, or a playlist or folder of songs that are liked.

import { askSongs, askJson } from "../base/api.js";
import { sayError } from "../base/announce.js";
import { bdi, byId, debounce, h, icon, labelButtons, pressLabels, setIcon } from "../base/dom.js";
import { cover } from "../song/cover.js";
import { hearStretch, pause, playFrom } from "../player/player.js";
import { outline } from "../song/details.js";
import { labelOf, toggleLabel } from "../songs/labelling.js";
import { askFolder, askList } from "./likes.js";
import { countFinds } from "../player/sources.js";
import { on, state } from "../base/state.js";
import { inline, songs, titleOf } from "../base/words.js";

const ABOUT = 7;
const CARDS = 12;
const FOUND = 24;
const ARTISTS = 12;
const PREVIEW_S = 20;
const bars = h("div", { class: "seven big-seven", "aria-hidden": "true" });
const counted = h("p", { class: "seven-count", id: "seven-count", role: "status" });
const hint = h("p", { class: "small muted", id: "seven-hint" });
const search = h("input", {
  type: "search",
  id: "seven-search",
  class: "input",
  "aria-label": "Search your music",
  placeholder: "A song, an artist, a folder …",
  autocomplete: "off",
  spellcheck: false,
  maxlength: 200,
});
const artists = h("div", { class: "chips", role: "group", "aria-label": "Artists" });
const cards = h("ul", { class: "cards", id: "seven-cards" });
const guess = h("button", { type: "button", id: "first-guess", class: "button primary", hidden: true }, "");
const surprise = h(
  "button",
  { type: "button", class: "button", id: "surprise" },
  icon("shuffle"),
  "Surprise me",
);
const fromList = h("button", { type: "button", class: "button" }, icon("file"), "Use a playlist");
const fromFolder = h("button", { type: "button", class: "button" }, icon("scan"), "Use a folder");
export const sevenStep = h(
  "div",
  { class: "step seven-step", id: "seven-step", hidden: true },
  h("h2", {}, "Choose about seven songs that you like"),
  h(
    "p",
    { class: "muted" },
    "Seven Songs learns your taste from them, and finds more songs like them in your own music. A few that are not for you help, too.",
  ),
  h("div", { class: "seven-line" }, bars, h("div", {}, counted, hint), guess),
  h("div", { class: "search big-search" }, icon("search"), search),
  artists,
  h("div", { class: "step-acts left" }, surprise, fromList, fromFolder),
  cards,
);
/** Who sang what was liked here, by song. @type {Map<string, string>} */
const likedBy = new Map();
let abort = new AbortController();
let filled = -1; // songs in the library when the cards were chosen
let countedAt = -1; // and when its artists were counted

/** @param {{listen: () => void}} act */
export function startSeven(act) {
  bars.append(...Array.from({ length: ABOUT }, () => h("span")));
  search.addEventListener("input", debounce(find, 200));
  surprise.addEventListener("click", scatter);
  guess.addEventListener("click", act.listen);
  fromList.addEventListener("click", askList);
  fromFolder.addEventListener("click", askFolder);
  on("label", ({ id, label }) => {
    const card = cards.querySelector(`[data-id="${CSS.escape(id)}"]`);
    if (!card) return;
    pressLabels(card, label);
    if (label === "like" && card.song.artist) likedBy.set(id, card.song.artist);
    else likedBy.delete(id);
  });
  on("playing", () => cards.querySelectorAll("[data-id]").forEach(showPlaying));
  on("taste", () => likedBy.clear());
}

/** @param {any} taste @param {boolean} entered whether the step is shown for the first time */
export function showSeven(taste, entered) {
  const n = Math.min(ABOUT, taste.n_like);
  [...bars.children].forEach((bar, i) => bar.classList.toggle("on", i < n));
  counted.textContent = `${n} of ${ABOUT}`;
  hint.textContent = advice(taste, n);
  showGuess(taste);
  if (entered || (filled < CARDS && state.total > filled)) {
    filled = state.total;
    begin();
  }
  if (entered || state.total !== countedAt) showArtists();
}

function advice(taste, n) {
  const by = new Set(likedBy.values());
  if (n >= 3 && by.size === 1 && likedBy.size >= 3) {
    return `All of these are by ${inline([...by][0])}: add one by someone else.`;
  }
  if (n < 2) return "After two there is a first guess.";
  return n < ABOUT
    ? `${ABOUT - n} more to go; more is better than few.`
    : "That is enough to begin. More make it surer.";
}

async function showGuess(taste) {
  if (!taste.trained) {
    guess.hidden = true;
    return;
  }
  const groups = await countFinds().catch(() => null);
  if (!groups) return;
  guess.hidden = false;
  guess.textContent = groups.like ? `First guess: ${songs(groups.like)}. Listen` : "Listen to a first guess";
}

async function fill(fetchSongs) {
  abort.abort();
  abort = new AbortController();
  const { signal } = abort;
  try {
    const found = await fetchSongs(signal);
    if (!signal.aborted) cards.replaceChildren(...found.map(card));
    return found;
  } catch (error) {
    if (error.name !== "AbortError") sayError(error);
    return [];
  }
}

function begin() {
  const params = { taste: state.taste, top: CARDS };
  return fill(async (signal) => {
    const found = await askJson("/suggestions", { params, signal });
    return found.songs.map(({ song }) => song);
  });
}

async function find() {
  const q = search.value.trim();
  if (!q) return begin();
  const query = { q, sort: "title", order: "asc", label: "" };
  const found = await fill(async (signal) => (await askSongs(query, 0, FOUND, signal)).songs);
  if (!found.length)
    cards.replaceChildren(h("li", { class: "muted" }, `Nothing in your music matches “${inline(q)}”.`));
  return undefined;
}

/** Songs from far-apart corners of the library: one of each stretch of its folders. */
function scatter() {
  search.value = "";
  const query = { q: "", sort: "path", order: "asc", label: "none" };
  return fill(async (signal) => {
    const { matched } = await askSongs(query, 0, 1, signal);
    const n = Math.min(CARDS, matched);
    const places = Array.from({ length: n }, (_, i) => Math.floor(((i + Math.random()) * matched) / n));
    const pages = await Promise.all(places.map((place) => askSongs(query, place, 1, signal)));
    return pages.flatMap((page) => page.songs);
  });
}

async function showArtists() {
  countedAt = state.total;
  const params = { taste: state.taste, top: ARTISTS };
  const found = await askJson("/artists", { params }).catch(() => null);
  const most = found?.artists ?? [];
  artists.hidden = most.length < 2;
  artists.replaceChildren(
    ...most.map(({ artist, n_songs: n }) =>
      h(
        "button",
        { type: "button", class: "chip", title: songs(n), onclick: () => ((search.value = artist), find()) },
        bdi(artist),
      ),
    ),
  );
}

function card(song) {
  const title = titleOf(song);
  const item = h(
    "li",
    { class: "pick", dataset: { id: song.id } },
    h(
      "button",
      {
        type: "button",
        class: "icon pick-play",
        "aria-label": `Play ${title}`,
        onclick: () => hearCard(song),
      },
      ...cover(song),
      icon("play"),
    ),
    h(
      "span",
      { class: "names" },
      bdi(title, { class: "title" }),
      bdi(song.artist ?? song.album ?? "", { class: "artist" }),
    ),
    ...labelButtons({ label: labelOf(song) }, title, (label) => toggleLabel(song, label)),
  );
  item.song = song;
  showPlaying(item);
  return item;
}

const source = { name: "cards", next: () => null, peek: () => null };

/** Play the best 20 s of a song; before anything is learnt, the most typical ones. */
async function hearCard(song) {
  playFrom(source);
  if (state.playing?.id === song.id && !state.paused) return pause();
  const start = { best_s: 0, best_end_s: PREVIEW_S };
  const found = await outline(song.id, "card").catch(({ name }) => (name === "AbortError" ? null : start));
  if (found) hearStretch(song, found.best_s, found.best_end_s);
  return undefined;
}

function showPlaying(item) {
  const sounding = state.playing?.id === item.dataset.id && !state.paused;
  const button = item.querySelector(".pick-play");
  button.setAttribute("aria-label", `${sounding ? "Pause" : "Play"} ${titleOf(item.song)}`);
  setIcon(button, sounding ? "pause" : "play");
}

byId("welcome").addEventListener(
  "keydown",
  (event) => event.key === "/" && event.target !== search && search.focus(),
);
