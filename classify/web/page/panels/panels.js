// On a narrow screen the two sides are sheets over the list: opened, closed with Escape, and while one is
// open the keyboard stays in it. On a wide screen they are simply there. Dialogs close here, too.

import { byId } from "../base/dom.js";

const narrow = matchMedia("(max-width: 64rem)");
const side = byId("side");
const song = byId("song");
const opener = byId("side-open");
/** @type {{panel: HTMLElement, back: Element | null} | null} */
let open = null;

export function startPanels() {
  opener.addEventListener("click", () => show(side, byId("side-close")));
  byId("side-close").addEventListener("click", close);
  narrow.addEventListener("change", settle);
  addEventListener("keydown", (event) => {
    if (event.key === "Escape" && open && !document.querySelector("dialog[open]")) close();
  });
  for (const dialog of document.querySelectorAll("dialog")) {
    for (const button of dialog.querySelectorAll("[data-close]"))
      button.addEventListener("click", () => dialog.close());
  }
  // What floats over the list stands on the player.
  new ResizeObserver(([entry]) => {
    const height = entry.borderBoxSize[0].blockSize;
    document.documentElement.style.setProperty("--player-height", `${height}px`);
  }).observe(byId("player"));
  settle();
}

/** Open the sheet of the song; on a wide screen it is open. */
export function openSong() {
  if (narrow.matches) show(song, song.querySelector(".song-close"));
}

export function closeSong() {
  close();
}

function show(panel, focus) {
  if (open?.panel === panel) return;
  if (open) close();
  open = { panel, back: document.activeElement };
  document.documentElement.dataset.sheet = panel.id;
  settle();
  focus?.focus();
}

function close() {
  if (!open) return;
  const { back } = open;
  open = null;
  delete document.documentElement.dataset.sheet;
  settle();
  if (back instanceof HTMLElement && back.isConnected) back.focus({ preventScroll: true });
}

/** What is not in view can't be reached; what lies under a sheet neither. */
function settle() {
  if (!narrow.matches && open) {
    open = null;
    delete document.documentElement.dataset.sheet;
  }
  const small = narrow.matches;
  opener.setAttribute("aria-expanded", String(open?.panel === side));
  for (const panel of [side, song]) {
    const shown = !small || open?.panel === panel;
    panel.inert = !shown;
    if (small && shown) {
      panel.setAttribute("role", "dialog");
      panel.setAttribute("aria-modal", "true");
    } else {
      panel.setAttribute("role", "complementary");
      panel.removeAttribute("aria-modal");
    }
  }
  byId("main").inert = Boolean(open);
  byId("player").inert = open?.panel === side;
}
