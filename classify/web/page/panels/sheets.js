// On a narrow screen the song is a sheet over the list: opened, closed with Escape, and while it is open the
// keyboard stays in it. On a wide screen it is simply there. Dialogs close here, too.

import { byId } from "../base/dom.js";

const narrow = matchMedia("(max-width: 64rem)");
const song = byId("song");
/** @type {{panel: HTMLElement, back: Element | null} | null} */
let open = null;

export function startSheets() {
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
  const shown = !small || Boolean(open);
  song.inert = !shown;
  if (small && shown) {
    song.setAttribute("role", "dialog");
    song.setAttribute("aria-modal", "true");
  } else {
    song.setAttribute("role", "complementary");
    song.removeAttribute("aria-modal");
  }
  for (const id of ["main", "nav"]) byId(id).inert = Boolean(open);
}
