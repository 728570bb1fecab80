// Files from elsewhere: dropped anywhere on the page, or chosen with the button. They are guessed at like songs
// of the library, and played; those that the library has are its songs.

import { upload } from "../base/api.js";
import { say } from "../base/announce.js";
import { bdi, byId, h, icon, labelButtons, pressLabels } from "../base/dom.js";
import { hear, playFrom } from "../player/player.js";
import { matchMark, verdictMark } from "./row.js";
import { labelOf, setLabel, toggleLabel } from "./labelling.js";
import { openById } from "../song/song.js";
import { emit, on, select, state } from "../base/state.js";
import { clean, clock, inline, matchOf, sentence, verdictWord } from "../base/words.js";

const veil = byId("drop");
const input = byId("file-input");
const section = byId("files");
const list = section.querySelector("ul");
let line = Promise.resolve();
let over = 0; // elements that the dragged file is over
const alone = { name: "file", next: () => null, peek: () => null };
/** Labels of files whose songs the library shall get, by their digests. @type {Map<string, any>} */
const wishes = new Map();

export function startDrop() {
  byId("file-button").addEventListener("click", () => input.click());
  input.addEventListener("change", () => {
    take([...input.files]);
    input.value = "";
  });
  addEventListener("dragenter", (event) => holdsFiles(event) && show((over += 1)));
  addEventListener(
    "dragleave",
    (event) => holdsFiles(event) && show((over = event.relatedTarget ? Math.max(0, over - 1) : 0)),
  );
  addEventListener("dragover", (event) => holdsFiles(event) && event.preventDefault());
  addEventListener("drop", (event) => {
    if (!holdsFiles(event)) return;
    event.preventDefault();
    show((over = 0));
    take([...event.dataTransfer.files]);
  });
}

on("label", ({ id, label }) => {
  const item = list.querySelector(`[data-id="${CSS.escape(id)}"]`);
  if (item) pressLabels(item, label);
});
on("label-file", ({ song, label }) => wish(song, label));
on("library", grant);

function holdsFiles(event) {
  return event.dataTransfer?.types.includes("Files");
}

function show(n) {
  veil.hidden = n === 0;
}

/** Score files one after another; the service hears one at a time anyway. */
function take(files) {
  for (const file of files) {
    const item = card(file);
    list.prepend(item);
    section.hidden = false;
    line = line.then(() => send(item, file));
  }
}

function card(file) {
  const close = h(
    "button",
    { type: "button", class: "icon", "aria-label": `Dismiss ${file.name}` },
    icon("close"),
  );
  const item = h(
    "li",
    { class: "file-card", dataset: { state: "waiting" } },
    h(
      "div",
      { class: "names" },
      bdi(file.name, { class: "title" }),
      h("span", { class: "artist file-said" }, "Waiting …"),
    ),
    h("progress", { max: 1, value: 0, "aria-label": `Sending ${file.name}` }),
    close,
  );
  close.addEventListener("click", () => {
    item.cancel?.();
    item.gone = true;
    if (item.url && state.playing?.url !== item.url) URL.revokeObjectURL(item.url);
    item.remove();
    section.hidden = !list.children.length;
    (list.querySelector("button") ?? byId("file-button")).focus({ preventScroll: true });
  });
  return item;
}

async function send(item, file) {
  if (item.gone) return;
  const bar = item.querySelector("progress");
  const said = item.querySelector(".file-said");
  const step = (name, words) => {
    item.dataset.state = name;
    said.textContent = words;
  };
  step("sending", "Sending …");
  const sending = upload("/score", { taste: state.taste, why: true }, file, (share) => {
    bar.value = share;
    if (share < 1) return;
    bar.removeAttribute("value");
    step("hearing", "Listening …");
  });
  item.cancel = sending.cancel;
  try {
    done(item, await sending.answer, file);
  } catch (error) {
    if (item.gone) return;
    step("failed", sentence(error.message));
    bar.remove();
    say(`${inline(file.name)}: ${error.message}`, { bad: true });
  } finally {
    item.cancel = null;
  }
}

function done(item, found, file) {
  item.dataset.state = "done";
  item.dataset.score = String(found.score);
  const title = found.title || file.name;
  const more = [found.artist, clock(found.duration_s), found.in_library ? "in your library" : null].filter(
    Boolean,
  );
  item.querySelector(".title").textContent = clean(title);
  const words = more.flatMap((text, i) => [i ? " · " : "", bdi(text)]);
  item.querySelector(".file-said").replaceChildren(...words);
  const result = h("div", { class: "file-result" }, verdictMark(found.verdict), matchMark(found));
  item.querySelector("progress").replaceWith(result);
  const song = songOf(item, found, file, title);
  const acts = h("div", { class: "file-acts" }, playButton(song, found.in_library));
  item.querySelector(".icon").before(acts);
  if (found.in_library) ours(item, acts, found.id);
  else foreign(item, acts, song);
  const match = `match ${matchOf(found)} of 5`;
  say(`${inline(title)}: ${verdictWord(found.verdict).toLowerCase()}, ${match}.`, { quiet: true });
}

/** The file as a song; it is played from where it lies, and nothing of it is kept by the service. */
function songOf(item, found, file, title) {
  item.url ??= URL.createObjectURL(file);
  return {
    id: `file-${found.id}`,
    digest: found.id,
    url: item.url,
    label: null,
    title,
    name: file.name,
    artist: found.artist,
    path: file.name,
    duration_s: found.duration_s,
    score: found.score,
    verdict: found.verdict,
    explanation: found.explanation,
    note: found.note,
  };
}

function playButton(song, isOurs) {
  const play = async () => {
    if (isOurs) return hear((await openById(song.digest)) ?? song);
    playFrom(alone);
    return hear(song);
  };
  return h(
    "button",
    { type: "button", class: "button small-button", "aria-label": `Play ${song.title}`, onclick: play },
    icon("play"),
    "Play",
  );
}

/** The library has it: it can be labelled at once. */
async function ours(item, acts, id) {
  const song = await openById(id).catch(() => null);
  if (song) offer(item, acts, song);
}

/** The library does not have it: it is explained all the same, and a like asks for its folder. */
function foreign(item, acts, song) {
  offer(item, acts, song);
  const ask = () => emit("add-folder"); // a browser does not tell where a file lies
  acts.append(h("button", { type: "button", class: "button small-button", onclick: ask }, "Add its folder"));
}

function offer(item, acts, song) {
  item.dataset.id = song.id;
  const why = () => {
    if (song.url) playFrom(alone);
    select(song);
    emit("open", song);
  };
  acts.append(
    h("button", { type: "button", class: "button small-button", onclick: why }, "Why"),
    ...labelButtons({ label: labelOf(song) }, song.title ?? song.name, (label) => toggleLabel(song, label)),
  );
}

/** Remember a label of a file until the library has its song, and ask for its folder. */
function wish(song, label) {
  song.label = label;
  emit("label", { id: song.id, label });
  wishes.delete(song.digest);
  if (!label) return;
  wishes.set(song.digest, { song, label, taste: state.taste });
  emit("add-folder", song);
}

/** Give the songs that have come their labels. */
async function grant() {
  for (const [digest, { song, label, taste }] of wishes) {
    const found = taste === state.taste ? await openById(digest).catch(() => null) : null;
    if (!found || !wishes.delete(digest)) continue;
    setLabel(found, label);
    const item = list.querySelector(`[data-id="${CSS.escape(song.id)}"]`);
    if (!item) continue;
    const acts = item.querySelector(".file-acts");
    acts.replaceChildren(playButton(song, true));
    ours(item, acts, digest);
  }
}
