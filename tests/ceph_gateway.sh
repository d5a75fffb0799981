#!/bin/sh
# A real Ceph RADOS gateway for one machine: one monitor, one storage daemon on a file, one gateway, all on 127.0.0.1.
# For tests only: one copy of the data, and no login inside the cluster.
#
#   apt-get install --no-install-recommends radosgw ceph-mon ceph-osd
#   tests/ceph_gateway.sh start FOLDER PORT     starts it, prints what the tests want to know
#   tests/ceph_gateway.sh stop FOLDER           stops what it started; the folder may be removed then
set -eu

stop() {
    # In this order: a storage daemon that ends tells the monitor, and waits for it.
    for name in rgw osd mon; do
        if [ -f "$folder/$name.pid" ]; then
            pid=$(cat "$folder/$name.pid")
            kill "$pid" 2> /dev/null || true
            for _ in $(seq 100); do
                kill -0 "$pid" 2> /dev/null || break
                sleep 0.1
            done
            kill -9 "$pid" 2> /dev/null || true
            rm -f "$folder/$name.pid"
        fi
    done
}

action=${1:?start or stop}
folder=${2:?a folder}
if [ "$action" = stop ]; then stop; exit 0; fi
port=${3:?a port}
mon=$((port + 1))
mkdir -p "$folder/mon" "$folder/osd" "$folder/rgw"
folder=$(cd "$folder" && pwd)
fsid=$(cat /proc/sys/kernel/random/uuid)
cat > "$folder/ceph.conf" <<CONF
[global]
fsid = $fsid
mon_host = v1:127.0.0.1:$mon
public_addr = 127.0.0.1
cluster_addr = 127.0.0.1
auth_cluster_required = none
auth_service_required = none
auth_client_required = none
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 4
osd_pool_default_pg_autoscale_mode = off
osd_crush_chooseleaf_type = 0
mon_allow_pool_size_one = true
mon_max_pg_per_osd = 2000
run_dir = $folder
admin_socket = $folder/\$name.\$pid.asok
log_file = $folder/\$name.log
telemetry = off
[mon]
mon_data = $folder/mon
mon_data_avail_crit = 1
[osd]
osd_data = $folder/osd
osd_objectstore = bluestore
bluestore_block_size = ${CEPH_OSD_BYTES:-8589934592}
osd_memory_target = 1073741824
osd_class_update_on_start = false
osd_crush_update_on_start = false
[client.rgw]
rgw_frontends = beast endpoint=127.0.0.1:$port
rgw_data = $folder/rgw
rgw_dns_name = localhost
CONF
conf="-c $folder/ceph.conf"
monmaptool --create --fsid "$fsid" --addv a "[v1:127.0.0.1:$mon]" --clobber "$folder/monmap" > /dev/null
ceph-mon $conf -i a --mkfs --monmap "$folder/monmap"
ceph-mon $conf -i a --pid-file "$folder/mon.pid"
osd=$(cat /proc/sys/kernel/random/uuid)
ceph $conf osd new "$osd" > /dev/null
ceph-osd $conf -i 0 --mkfs --osd-uuid "$osd" 2>> "$folder/mkfs.log"
ceph-osd $conf -i 0 --pid-file "$folder/osd.pid"
ceph $conf osd crush add osd.0 1.0 root=default host=localhost > /dev/null 2>&1
radosgw $conf -n client.rgw --pid-file "$folder/rgw.pid"
secret=$(head -c 24 /dev/urandom | od -An -tx1 | tr -d ' \n')
radosgw-admin $conf -n client.rgw user create --uid tests --display-name tests \
    --access-key tests --secret-key "$secret" > /dev/null 2>> "$folder/mkfs.log"
echo "export CIE_TEST_S3_ENDPOINT=http://127.0.0.1:$port CIE_TEST_S3_ACCESS_KEY=tests CIE_TEST_S3_SECRET_KEY=$secret"
