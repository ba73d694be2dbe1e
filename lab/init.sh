#!/bin/busybox sh
# The first program of the guest: loads what the root disk needs, mounts it and hands over to systemd.
/bin/busybox mkdir -p /sbin /new
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
while read -r module; do
    insmod "/lib/modules/$module.ko"
done < /lib/modules/order
tries=0
until mount -t ext4 -o rw,noatime /dev/vda /new; do
    tries=$((tries + 1))
    [ $tries -gt 100 ] && echo 'LAB: /dev/vda cannot be mounted' && exec sh
    sleep 0.1
done
mount --move /dev /new/dev
mount --move /proc /new/proc
mount --move /sys /new/sys
exec switch_root /new /lib/systemd/systemd
