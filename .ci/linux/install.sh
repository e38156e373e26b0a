#!/bin/sh
# Installs Homeroom for this person, in ~/.local; no root. `install.sh remove` takes it away again and leaves the data.
set -eu
cd "$(dirname "$0")"
to=${XDG_DATA_HOME:-$HOME/.local/share}
bin=$HOME/.local/bin
if [ "${1-}" = remove ]; then
  rm -f "$bin/homeroom" "$to/applications/homeroom.desktop" "$to/icons/hicolor/512x512/apps/homeroom.png"
  echo "Homeroom is removed. Its data is kept."
  exit
fi
mkdir -p "$bin" "$to/applications" "$to/icons/hicolor/512x512/apps"
cp homeroom "$bin/homeroom.new"
mv "$bin/homeroom.new" "$bin/homeroom" # also while the old one runs
cp homeroom.png "$to/icons/hicolor/512x512/apps/homeroom.png"
sed "s|^Exec=.*|Exec=\"$bin/homeroom\"|" homeroom.desktop >"$to/applications/homeroom.desktop"
echo "Homeroom is in $bin and in the menu."
case ":$PATH:" in *":$bin:"*) ;; *) echo "To start it by name, add $bin to PATH." ;; esac
