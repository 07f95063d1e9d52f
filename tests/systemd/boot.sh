#!/bin/sh
# Become systemd, in namespaces that the caller has made: `boot.sh KEPT...`. Nothing outside is changed: what
# systemd would write to is hidden, and what would touch devices or the machine's own files is masked.
set -e
mount --make-rprivate /
mount -t tmpfs -o mode=755 tmpfs /run
number=0
for kept in "$@"; do
    number=$((number + 1))
    mkdir -p "/run/kept/$number"
    mount --bind "$kept" "/run/kept/$number"
done
mount -t tmpfs -o mode=1777 tmpfs /tmp
mount -t tmpfs -o mode=755 tmpfs /root
number=0
for kept in "$@"; do
    number=$((number + 1))
    mkdir -p "$kept"
    mount --bind "/run/kept/$number" "$kept"
done
for hidden in /etc/systemd/system /etc/systemd/user /var/lib/systemd /var/log; do
    [ ! -d "$hidden" ] || mount -t tmpfs -o mode=755 tmpfs "$hidden"
done
for unit in systemd-udevd.service systemd-udevd-kernel.socket systemd-udevd-control.socket systemd-udev-trigger.service \
    systemd-tmpfiles-setup.service systemd-tmpfiles-setup-dev.service systemd-remount-fs.service systemd-sysctl.service \
    systemd-random-seed.service systemd-update-utmp.service systemd-hwdb-update.service systemd-sysusers.service \
    systemd-firstboot.service systemd-machine-id-commit.service systemd-modules-load.service systemd-binfmt.service \
    systemd-journal-catalog-update.service systemd-update-done.service systemd-pstore.service ldconfig.service \
    timers.target; do
    ln -s /dev/null "/etc/systemd/system/$unit"
done
cp /etc/passwd /etc/group /etc/shadow /run/
echo 'ann:x:1234:1234::/run/ann:/bin/sh' >> /run/passwd
echo 'ann:x:1234:' >> /run/group
echo 'ann:*:20000:0:99999:7:::' >> /run/shadow
for file in passwd group shadow; do
    mount --bind "/run/$file" "/etc/$file"
done
mkdir -m 700 /run/ann
chown ann:ann /run/ann
mkdir /var/log/journal
umount -R /sys/fs/cgroup 2> /dev/null || true
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mount --bind /proc/sys /proc/sys
mount -o remount,ro,bind /proc/sys
export container=lxc
exec /lib/systemd/systemd --unit=basic.target --log-target=journal --show-status=no
