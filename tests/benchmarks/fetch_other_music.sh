#!/usr/bin/env bash
# A second collection, to check what was chosen on the first: soundtracks of nine games, each several composers',
# from Debian packages (about 1.5 GB to download; `apt-get update` once before; nothing is installed).
#   fetch_other_music.sh DIR     ->  DIR/<game>/*.ogg
# Licences are in each package's copyright file (DIR/.copyright/); keep the music out of git.
set -euo pipefail
target=$(mkdir -p "$1/.copyright" && cd "$1" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

take() { # GAME PACKAGE: every track of 300 kB or more; what is smaller is a sound
  [ -d "$target/$1" ] && return 0
  (cd "$work" && apt-get download -q "$2" >/dev/null && dpkg -x "$2"_*.deb "$work/$2" && rm -f "$2"_*.deb)
  mkdir -p "$target/$1.part"
  find "$work/$2" -type f \( -iname '*.ogg' -o -iname '*.mp3' -o -iname '*.opus' \) -size +300k \
    -exec cp -n {} "$target/$1.part/" \;
  cp "$work/$2/usr/share/doc/$2/copyright" "$target/.copyright/$2" 2>/dev/null || true
  rm -rf "${work:?}/$2"
  mv "$target/$1.part" "$target/$1"
  echo "$1: $(find "$target/$1" -type f | wc -l) files"
}

take colobot colobot-common-sounds
take fillets fillets-ng-data
take freedroidrpg freedroidrpg-data
take megaglest megaglest-data
take naev naev-data
take supertux supertux-data
take warzone2100 warzone2100-music
take wesnoth wesnoth-1.16-music
take widelands widelands-data
