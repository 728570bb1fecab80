// Files from elsewhere: dropped anywhere on the page, or chosen with the button. They are guessed at like songs
// of the library, and played; those that the library has are its songs.

import { upload } from "../base/api.js";
import { say } from "../base/announce.js";
import { bdi, byId, h, icon, labelButtons, pressLabels } from "../base/dom.js";
import { hear, playFrom } from "../player/player.js";
import { matchMark, verdictMark } from "./row.js";
import { labelOf, toggleLabel } from "./labelling.js";
import { openById } from "../song/song.js";
import { emit, on, select, state } from "../base/state.js";
import { clean, clock, inline, matchOf, sentence, verdictWord } from "../base/words.js";

const veil = byId("drop");
const input = byId("file-input");
const section = byId("files");
const list = section.querySelector("ul");
let line = Promise.resolve();
let over = 0; // elements that the dragged file is over

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
  const sending = upload("/score", { taste: state.taste }, file, (share) => {
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
  const acts = h("div", { class: "file-acts" }, playButton(item, found, file, title));
  item.querySelector(".icon").before(acts);
  if (found.in_library) ours(item, acts, found.id);
  else
    acts.append(
      h("button", { type: "button", class: "button small-button", onclick: askFolder }, "Add its folder"),
    );
  const match = `match ${matchOf(found)} of 5`;
  say(`${inline(title)}: ${verdictWord(found.verdict).toLowerCase()}, ${match}.`, { quiet: true });
}

/** Play the file from where it lies; nothing of it is kept by the service. */
function playButton(item, found, file, title) {
  const play = async () => {
    if (found.in_library) return hear((await openById(found.id)) ?? found);
    item.url ??= URL.createObjectURL(file);
    const song = { id: `file-${found.id}`, url: item.url, title, name: file.name, artist: found.artist };
    playFrom({ name: "file", next: () => null, peek: () => null });
    return hear({
      ...song,
      path: file.name,
      duration_s: found.duration_s,
      score: found.score,
      verdict: found.verdict,
    });
  };
  return h(
    "button",
    { type: "button", class: "button small-button", "aria-label": `Play ${title}`, onclick: play },
    icon("play"),
    "Play",
  );
}

/** The library has it: it can be labelled, and why it fits can be told. */
async function ours(item, acts, id) {
  item.dataset.id = id;
  const song = await openById(id).catch(() => null);
  if (!song) return;
  const why = () => {
    select(song);
    emit("open", song);
  };
  acts.append(
    h("button", { type: "button", class: "button small-button", onclick: why }, "Why"),
    ...labelButtons({ label: labelOf(song) }, item.querySelector(".title").textContent, (label) =>
      toggleLabel(song, label),
    ),
  );
}

/** A browser does not tell where a file lies; the folder is named by who has it. */
function askFolder() {
  emit("add-folder");
}
