#!/bin/sh
# Prove the GPIO driver and the LED analyser against a real kernel: build a User-Mode Linux with gpio-sim (once) and
# run sim_program.py in it, on the host's file system (read-only). No privileges, no KVM, no module on the host.
#
#   usage: sh tests/gpio/run_uml.sh [argument of sim_program.py ...]
#
#   UML_DIR     where kernel and sources are kept              (.uml)
#   PYTHON      a Python that has gpiod 2                      (.venv/bin/python)
#   LINUX_SRC   an unpacked kernel tree; else Debian's package linux-source-6.1 is fetched with apt-get download
#   JOBS        compiler processes                             (1)
#   LIMIT       seconds that the program may take              (180)
#   REAL_TIME   1: ordinary time; else time that jumps when nothing is to do (exact and faster)
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
UML_DIR=${UML_DIR:-$root/.uml}
PYTHON=${PYTHON:-$root/.venv/bin/python}
PACKAGE=linux-source-6.1
mkdir -p "$UML_DIR"
UML_DIR=$(cd "$UML_DIR" && pwd)
kernel=$UML_DIR/linux

say() { echo "gpio: $*"; }
stop() { echo "gpio: $*" >&2; exit 3; }

fetch_source() {
  command -v apt-get >/dev/null || stop "no apt-get here: set LINUX_SRC to an unpacked kernel tree (6.1 or later)"
  if [ ! -d "$UML_DIR/$PACKAGE" ]; then
    ls "$UML_DIR"/${PACKAGE}_*.deb >/dev/null 2>&1 || (cd "$UML_DIR" && apt-get download -q "$PACKAGE") ||
      stop "cannot fetch $PACKAGE: run 'apt-get update' first, or set LINUX_SRC"
    say "unpacking $PACKAGE"
    for deb in "$UML_DIR"/${PACKAGE}_*.deb; do :; done
    rm -rf "$UML_DIR/unpacking"
    mkdir "$UML_DIR/unpacking"
    dpkg-deb --fsys-tarfile "$deb" | tar -xO "./usr/src/$PACKAGE.tar.xz" | tar -xJ -C "$UML_DIR/unpacking"
    mv "$UML_DIR/unpacking/$PACKAGE" "$UML_DIR/$PACKAGE"
    rm -r "$UML_DIR/unpacking"
  fi
  LINUX_SRC=$UML_DIR/$PACKAGE
}

build() {
  for tool in gcc make flex bison bc xz; do
    command -v $tool >/dev/null || missing="${missing:-} $tool"
  done
  [ -z "${missing:-}" ] || stop "needs$missing (apt-get install$missing)"
  [ -n "${LINUX_SRC:-}" ] || fetch_source
  out=$UML_DIR/build
  mkdir -p "$out"
  say "building User-Mode Linux with gpio-sim in $out (about 2 minutes of one core, once)"
  make -s -C "$LINUX_SRC" ARCH=um O="$out" tinyconfig
  "$LINUX_SRC/scripts/kconfig/merge_config.sh" -m -O "$out" "$out/.config" "$here/uml.config" >/dev/null
  make -s -C "$LINUX_SRC" ARCH=um O="$out" olddefconfig
  for option in $(sed -n 's/^\(CONFIG_[A-Z0-9_]*\)=y$/\1/p' "$here/uml.config"); do
    grep -q "^$option=y" "$out/.config" || say "note: this kernel has no $option"
  done
  grep -q '^CONFIG_GPIO_SIM=y' "$out/.config" || stop "this kernel tree has no gpio-sim: take 5.17 or later"
  make -s -C "$LINUX_SRC" ARCH=um O="$out" -j"${JOBS:-1}" linux
  strip -o "$kernel.new" "$out/linux"
  mv "$kernel.new" "$kernel"
  # only the kernel is needed from here on: 4 MB instead of 1.5 GB
  rm -rf "$out" "$UML_DIR/$PACKAGE" "$UML_DIR"/${PACKAGE}_*.deb
}

[ -x "$PYTHON" ] || stop "no Python at $PYTHON: make install"
"$PYTHON" -c 'import gpiod' 2>/dev/null || stop "$PYTHON has no gpiod: pip install 'smgw-bench[gpio]'"
[ -x "$kernel" ] || build

cat >"$UML_DIR/init.sh" <<INIT
#!/bin/sh
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
mount -t configfs configfs /sys/kernel/config
mount -t tmpfs tmp /tmp
cd "$root"
PYTHONPATH="$root" "$PYTHON" -B "$here/sim_program.py" $*
echo "gpio: exit \$?"
"$PYTHON" -c 'import ctypes; ctypes.CDLL(None).reboot(0x4321fedc)'
INIT
chmod +x "$UML_DIR/init.sh"
travel=time-travel=inf-cpu
[ "${REAL_TIME:-0}" = 0 ] || travel=
# shellcheck disable=SC2086
timeout "${LIMIT:-180}" "$kernel" mem=256M $travel root=none rootfstype=hostfs ro init="$UML_DIR/init.sh" \
  con0=fd:0,fd:1 con=fd:0,fd:1 quiet </dev/null 2>&1 | grep -vE 'setup_one_line|channel type' | tee "$UML_DIR/gpio.log"
grep -q '^gpio: exit 0' "$UML_DIR/gpio.log" || stop "failed or not finished within ${LIMIT:-180} s (log: $UML_DIR/gpio.log)"
