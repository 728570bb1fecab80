// Starts the page: the parts in their order, the first data, and what follows from an address or a lost
// service.
//
// By hand: the page is what stands here, without a framework or a build, so that its policy lets in no script
// from elsewhere and no title becomes markup. All modules together are 108 kB
// (tests/classify/web/test_page.py).

import { askJson } from "./base/api.js";
import { sayError } from "./base/announce.js";
import { startDetails } from "./song/details.js";
import { byId, debounce, settings } from "./base/dom.js";
import { startDrop } from "./songs/drop.js";
import { startFilters } from "./songs/filters.js";
import { startKeys } from "./player/keys.js";
import { rankAgain, showList, startList } from "./songs/list.js";
import { startPanels } from "./panels/panels.js";
import { startPlayer, toggle } from "./player/player.js";
import { reattach, startScan } from "./panels/scan.js";
import { openById, showSong, startSong } from "./song/song.js";
import { emit, on, select, state } from "./base/state.js";
import { loadTastes, startTastes } from "./panels/tastes.js";
import { ask as askToken, startToken, tokenFromAddress } from "./base/token.js";
import { refresh, startTray } from "./songs/tray.js";

const AGAIN_MS = 3000;
const AWAY_MS = 10000;
const ADDRESS_MS = 300; // browsers refuse more than some 100 changes in 30 s
const offline = byId("offline");
let lost = 0;

function startTheme() {
  const root = document.documentElement;
  const radios = /** @type {NodeListOf<HTMLInputElement>} */ (document.querySelectorAll("input[name=theme]"));
  for (const radio of radios) {
    radio.checked = radio.value === (root.dataset.theme ?? "system");
    radio.addEventListener("change", () => {
      if (radio.value === "system") delete root.dataset.theme;
      else root.dataset.theme = radio.value;
      settings.set("theme", radio.value);
    });
  }
}

/** Say that nothing answers, and look for the service until it does. */
function startOffline() {
  on("offline", () => {
    if (lost) return;
    offline.textContent = "The service does not answer. Trying again …";
    offline.hidden = false;
    lost = setInterval(() => askJson("/health").catch(() => {}), AGAIN_MS);
  });
  on("online", () => {
    if (!lost) return;
    clearInterval(lost);
    lost = 0;
    offline.hidden = true;
    begin();
  });
}

async function begin() {
  try {
    state.health = await askJson("/health");
    if (state.health.token_required && state.health.n_songs === undefined) return askToken();
    await loadTastes();
    emit("ready");
    refresh();
    await showList();
    reattach();
    openAddressed();
  } catch (error) {
    if (error.status === 401) return undefined; // the form asks for it
    emit("list-failed", error);
  } finally {
    document.documentElement.dataset.ready = "true";
  }
  return undefined;
}

/** Show the song that a link such as #song=ID names. */
async function openAddressed() {
  const id = new URLSearchParams(location.hash.slice(1)).get("song");
  if (!id || !/^[0-9a-f]{32}$/.test(id)) return;
  try {
    const song = await openById(id);
    select(song);
    showSong(song);
  } catch (error) {
    sayError(error);
  }
}

startTheme();
startOffline();
startPanels();
startDetails();
startToken(begin);
startTastes();
startFilters();
startList(toggle);
startTray(toggle);
startSong();
startPlayer();
startKeys(showSong);
startScan();
startDrop();
on("taste", () => {
  refresh();
  showList();
});
on("again", () => {
  refresh();
  showList();
});
on("open", showSong);
addEventListener("hashchange", openAddressed);
// The address names the song that is shown, so that it can be kept, and a link to it is always a change.
on(
  "select",
  debounce((song) => song && history.replaceState(null, "", `#song=${song.id}`), ADDRESS_MS),
);
// Another program may have labelled or embedded while nobody looked.
let hiddenAt = 0;
document.addEventListener("visibilitychange", () => {
  if (document.hidden) hiddenAt = performance.now();
  else if (hiddenAt && performance.now() - hiddenAt > AWAY_MS) rankAgain(null);
});
await tokenFromAddress();
await begin();
