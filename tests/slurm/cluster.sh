#!/usr/bin/env bash
# A real one-node SLURM cluster with accounting, for tests: everything it owns lies in one folder, it listens on loopback
# only, and it does not touch the machine's own SLURM, MariaDB or munge configuration.
#
#   tests/slurm/cluster.sh up DIR      start it (idempotent), wait until the node is idle
#   tests/slurm/cluster.sh status DIR  exit 0 when it answers
#   tests/slurm/cluster.sh down DIR    cancel its jobs, stop its daemons, remove DIR
#
# `up` prints the two exports that a client needs. Needs root (or a user who may run munged and slurmd) and the packages
# slurm-wlm slurmdbd mariadb-server munge; exit code 3 says which command is missing.
set -euo pipefail
umask 022
export PATH="$PATH:/usr/sbin:/sbin"
unset "${!SLURM_@}" "${!SBATCH_@}" # a surrounding job must not leak into this cluster

die() {
    echo "cluster.sh: $*" >&2
    exit 1
}

[[ $# == 2 ]] || die "usage: cluster.sh up|status|down DIR"
action=$1
dir=$(realpath -m "$2")
name=$(hostname -s) # slurmdbd and slurmctld accept no other name for this host
export SLURM_CONF=$dir/etc/slurm.conf

free_ports() { # COUNT distinct loopback ports nobody listens on
    python3 - "$1" <<'PYTHON'
import socket, sys
sockets = [socket.socket() for _ in range(int(sys.argv[1]))]
for one in sockets:
    one.bind(("127.0.0.1", 0))
print(*(one.getsockname()[1] for one in sockets))
PYTHON
}

wait_for() { # SECONDS WHAT COMMAND...: poll until the command succeeds
    local deadline=$((SECONDS + $1)) what=$2
    shift 2
    until "$@" >/dev/null 2>&1; do
        if ((SECONDS >= deadline)); then
            tail -n 15 "$dir"/log/*.log >&2 || true
            die "$what did not come up; the ends of its logs are above"
        fi
        sleep 0.1
    done
}

alive() { [[ -s $1 ]] && kill -0 "$(<"$1")" 2>/dev/null; }

is_up() { [[ -f $SLURM_CONF ]] && timeout 10 scontrol ping | grep -q "is UP"; }

node_is_ready() { timeout 10 sinfo -h -o %T | grep -Eqx "idle|mixed|allocated"; }

write_configuration() {
    local database_port dbd_port ctld_port slurmd_port password
    read -r database_port dbd_port ctld_port slurmd_port <<<"$(free_ports 4)"
    password=$(head -c 16 /dev/urandom | od -An -tx1 | tr -d ' \n')
    mkdir -p "$dir"/{bin,etc,log,run,spool/slurmd,spool/ctld,database}
    chmod 755 "$dir"
    head -c 1024 /dev/urandom >"$dir/etc/munge.key"
    chmod 400 "$dir/etc/munge.key"

    cat >"$dir/etc/database.cnf" <<CONF
[mariadbd]
datadir=$dir/database
socket=$dir/run/database.sock
pid-file=$dir/run/database.pid
log-error=$dir/log/database.log
bind-address=127.0.0.1
port=$database_port
user=$(id -un)
init-file=$dir/etc/database.sql
innodb_buffer_pool_size=32M
innodb_log_file_size=8M
innodb_flush_log_at_trx_commit=0
innodb_lock_wait_timeout=900
CONF
    cat >"$dir/etc/database.sql" <<SQL
CREATE OR REPLACE USER slurm@'127.0.0.1' IDENTIFIED BY '$password';
CREATE OR REPLACE USER slurm@localhost IDENTIFIED BY '$password';
GRANT ALL ON accounting.* TO slurm@'127.0.0.1';
GRANT ALL ON accounting.* TO slurm@localhost;
SQL
    chmod 600 "$dir/etc/database.sql"

    cat >"$dir/etc/slurmdbd.conf" <<CONF
AuthType=auth/munge
AuthInfo=socket=$dir/run/munge.socket
DbdHost=$name
DbdAddr=127.0.0.1
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
DbdPort=$dbd_port
SlurmUser=$(id -un)
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort=$database_port
StorageUser=slurm
StoragePass=$password
StorageLoc=accounting
LogFile=$dir/log/slurmdbd.log
PidFile=$dir/run/slurmdbd.pid
CONF
    chmod 600 "$dir/etc/slurmdbd.conf"

    # More CPUs and memory than the machine has are fine (config_overrides), so that requests of a real cluster fit.
    # Without cgroups the accounting thread enforces memory: it samples every second and kills what exceeds its request.
    # MinJobAge is SLURM's default: the time that squeue still shows finished jobs.
    cat >"$SLURM_CONF" <<CONF
ClusterName=onenode
SlurmctldHost=$name(127.0.0.1)
SlurmctldPort=$ctld_port
SlurmdPort=$slurmd_port
SlurmUser=$(id -un)
SlurmdUser=$(id -un)
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
AuthType=auth/munge
AuthInfo=socket=$dir/run/munge.socket
CredType=cred/munge
StateSaveLocation=$dir/spool/ctld
SlurmdSpoolDir=$dir/spool/slurmd
SlurmctldPidFile=$dir/run/slurmctld.pid
SlurmdPidFile=$dir/run/slurmd.pid
SlurmctldLogFile=$dir/log/slurmctld.log
SlurmdLogFile=$dir/log/slurmd.log
SlurmdParameters=config_overrides
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
ReturnToService=2
MinJobAge=300
KillWait=10
SchedulerParameters=batch_sched_delay=0,sched_interval=2,bf_interval=2,sched_min_interval=0
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort=$dbd_port
AccountingStoragePass=$dir/run/munge.socket
AccountingStorageTRES=gres/gpu
GresTypes=gpu
NodeName=$name NodeAddr=127.0.0.1 CPUs=4 RealMemory=512000 Gres=gpu:2 State=UNKNOWN
PartitionName=work Nodes=$name Default=YES MaxTime=INFINITE State=UP PriorityTier=1
PartitionName=urgent Nodes=$name MaxTime=INFINITE State=UP PriorityTier=2
CONF
    # Inside a job the executor calls srun without SLURM_CONF; a real cluster has its configuration in /etc.
    printf '#!/bin/sh\nSLURM_CONF=%q exec %q "$@"\n' "$SLURM_CONF" "$(command -v srun)" >"$dir/bin/srun"
    chmod 755 "$dir/bin/srun"
    # A GPU must be a device: any two will do, nothing opens them.
    printf "NodeName=$name Name=gpu File=%s\n" /dev/null /dev/zero >"$dir/etc/gres.conf"
}

up() {
    local command
    for command in munged mariadbd mariadb-install-db slurmdbd slurmctld slurmd sacctmgr; do
        command -v "$command" >/dev/null || {
            echo "cluster.sh: $command is missing; install slurm-wlm slurmdbd mariadb-server munge" >&2
            exit 3
        }
    done
    [[ -f $SLURM_CONF ]] || write_configuration

    # A folder left by a killed run may hold the pid files of dead daemons: each is started only when it is not alive.
    if ! alive "$dir/run/munged.pid"; then
        rm -f "$dir"/run/munge.socket*
        munged --force --key-file="$dir/etc/munge.key" --socket="$dir/run/munge.socket" \
            --pid-file="$dir/run/munged.pid" --log-file="$dir/log/munged.log" --seed-file="$dir/run/munge.seed"
    fi
    if ! alive "$dir/run/database.pid"; then
        [[ -d $dir/database/mysql ]] || mariadb-install-db --defaults-file="$dir/etc/database.cnf" \
            --auth-root-authentication-method=normal --skip-test-db >"$dir/log/install.log" 2>&1
        setsid mariadbd --defaults-file="$dir/etc/database.cnf" </dev/null >/dev/null 2>&1 &
        wait_for 60 MariaDB test -S "$dir/run/database.sock"
    fi
    if ! alive "$dir/run/slurmdbd.pid"; then
        slurmdbd
        wait_for 60 slurmdbd timeout 10 sacctmgr -n list cluster
    fi
    sacctmgr -i add cluster onenode >/dev/null || true # "Nothing new added" exits 1
    sacctmgr -i add account tests cluster=onenode >/dev/null || true
    sacctmgr -i add user "$(id -un)" account=tests cluster=onenode >/dev/null || true
    if ! alive "$dir/run/slurmctld.pid"; then
        slurmctld >"$dir/log/start.log" 2>&1
        wait_for 60 slurmctld is_up
    fi
    alive "$dir/run/slurmd.pid" || slurmd -N "$name"
    wait_for 60 "the node" node_is_ready
    echo "export SLURM_CONF=$SLURM_CONF"
    echo "export PATH=$dir/bin:\$PATH"
}

down() {
    [[ -d $dir ]] || return 0
    [[ -f $SLURM_CONF ]] || die "$dir is not a folder of this script"
    if is_up; then
        timeout 10 scancel --state=PENDING --user="$(id -un)" || true
        timeout 10 scancel --full --signal=KILL --user="$(id -un)" || true
        for _ in {1..100}; do
            [[ -n $(timeout 10 squeue -h 2>/dev/null) ]] || break
            sleep 0.1
        done
    fi
    local daemon pid
    for daemon in slurmd slurmctld slurmdbd database munged; do
        alive "$dir/run/$daemon.pid" || continue
        pid=$(<"$dir/run/$daemon.pid")
        kill "$pid"
        for _ in {1..100}; do
            kill -0 "$pid" 2>/dev/null || break
            sleep 0.1
        done
        kill -KILL "$pid" 2>/dev/null || true
    done
    rm -rf "$dir"
}

case $action in
up) up ;;
down) down ;;
status) is_up && node_is_ready ;;
*) die "unknown action $action" ;;
esac
