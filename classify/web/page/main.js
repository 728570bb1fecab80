// Starts the page: the parts in their order, the first data, and what follows from an address or a lost
// service.
//
// By hand: the page is what stands here, without a framework or a build, so that its policy lets in no script
// from elsewhere and no title becomes markup. All modules together are 220 kB
// (tests/classify/web/test_page.py).

import { askJson } from "./base/api.js";
import { sayError } from "./base/announce.js";
import { startDetails } from "./song/details.js";
import { byId, settings } from "./base/dom.js";
import { startLive } from "./base/live.js";
import { startDrop } from "./songs/drop.js";
import { startFilters } from "./songs/filters.js";
import { startKeys } from "./player/keys.js";
import { showList, startList } from "./songs/list.js";
import { startOrder } from "./songs/order.js";
import { startSheets } from "./panels/sheets.js";
import { startControls } from "./player/controls.js";
import { hear, startPlayer, toggle } from "./player/player.js";
import { fromList, startSources } from "./player/sources.js";
import { reattach, startScan } from "./panels/scan.js";
import { openById, showSong, startSong } from "./song/song.js";
import { emit, on, select, state } from "./base/state.js";
import { startDiscover } from "./views/discover.js";
import { startElsewhere } from "./songs/elsewhere.js";
import { startFolder } from "./views/folder.js";
import { startFirst } from "./views/first.js";
import { startLikes } from "./views/likes.js";
import { startMap } from "./views/map.js";
import { startPlaylist } from "./views/playlist.js";
import { startReport } from "./views/report.js";
import { loadTastes, startTastes } from "./views/tastes.js";
import { startTeach } from "./views/teach.js";
import { addressed, startViews } from "./views/views.js";
import { ask as askToken, startToken, tokenFromAddress } from "./base/token.js";

const AGAIN_MS = 3000;
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
  const { song } = addressed(); // before a view writes there what it shows
  try {
    state.health = await askJson("/health");
    if (state.health.token_required && state.health.n_songs === undefined) return askToken();
    await loadTastes();
    emit("ready");
    await showList();
    reattach();
    if (song) openSongOf(song);
  } catch (error) {
    if (error.status === 401) return undefined; // the form asks for it
    emit("list-failed", error);
  } finally {
    document.documentElement.dataset.ready = "true";
  }
  return undefined;
}

/** Show the song that a link names. @param {string} id */
async function openSongOf(id) {
  if (state.selected?.id === id) return showSong(state.selected);
  try {
    const song = await openById(id);
    select(song);
    showSong(song);
  } catch (error) {
    sayError(error);
  }
  return undefined;
}

startTheme();
startOffline();
startSheets();
startDetails();
startToken(begin);
startViews(openSongOf);
startTastes();
startFirst();
startLikes();
startFolder();
startDiscover();
startPlaylist();
startReport();
startTeach();
startMap();
startFilters();
startList({ toggle: fromList(toggle), hear: fromList(hear) });
startOrder();
startElsewhere();
startSong();
startPlayer();
startSources();
startControls();
startKeys(showSong);
startScan();
startDrop();
startLive();
byId("help-button").addEventListener("click", () => byId("help").showModal());
on("taste", showList);
on("again", showList);
on("open", showSong);
await tokenFromAddress();
await begin();
