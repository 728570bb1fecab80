// Scores files that are not in the library: dropped anywhere on the page, or chosen with the button.

import { upload } from "../base/api.js";
import { say } from "../base/announce.js";
import { bdi, byId, h, icon } from "../base/dom.js";
import { scoreBar, verdictMark } from "./row.js";
import { state } from "../base/state.js";
import { clean, clock, inline, score, sentence, verdictWord } from "../base/words.js";

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
  const result = h("span", { class: "c-score score" }, ...scoreBar(found));
  const link = found.in_library
    ? h("a", { href: `#song=${found.id}`, class: "button small-button" }, "Show")
    : null;
  item
    .querySelector("progress")
    .replaceWith(h("div", { class: "file-result" }, verdictMark(found.verdict), result, link ?? ""));
  say(`${inline(title)} scores ${score(found.score)}: ${verdictWord(found.verdict).toLowerCase()}.`, {
    quiet: true,
  });
}
