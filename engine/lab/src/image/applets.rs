//! Which commands the known images hold, by directory.
//!
//! Invariant: a name stands here because the real image has it, whether or not the lab can run it.

/// BusyBox's commands in `/bin` of Alpine.
pub(super) const BUSYBOX_BIN: &str = "arch ash base64 bbconfig cat chattr chgrp chmod chown cp date dd df dmesg \
    dnsdomainname dumpkmap echo egrep false fatattr fdflush fgrep fsync getopt grep gunzip gzip hostname ionice iostat \
    ipcalc kbd_mode kill link linux32 linux64 ln login ls lsattr lzop makemime mkdir mknod mktemp more mount mountpoint \
    mpstat mv netstat nice pidof ping ping6 pipe_progress printenv ps pwd reformime rev rm rmdir run-parts sed setpriv \
    setserial sh sleep stat stty su sync tar touch true umount uname usleep watch zcat";

/// BusyBox's commands in `/sbin` of Alpine.
pub(super) const BUSYBOX_SBIN: &str = "acpid adjtimex arp blkid blockdev depmod fbsplash fdisk findfs fsck fstrim getty \
    halt hwclock ifconfig ifdown ifenslave ifup init inotifyd insmod ip ipaddr iplink ipneigh iproute iprule iptunnel \
    klogd loadkmap logread losetup lsmod mdev mkdosfs mkswap modinfo modprobe nameif nologin pivot_root poweroff \
    raidautorun reboot rmmod route setconsole slattach swapoff swapon switch_root sysctl syslogd tunctl udhcpc vconfig \
    watchdog zcip";

/// BusyBox's commands in `/usr/bin` and `/usr/sbin` of Alpine.
pub(super) const BUSYBOX_USR: &str = "[ [[ add-shell addgroup adduser arping ascii awk basename bc beep blkdiscard brctl \
    bunzip2 bzcat bzip2 cal chpasswd chroot chvt cksum clear cmp comm cpio crc32 crond crontab cryptpw cut dc deallocvt \
    delgroup deluser diff dirname dos2unix du eject env ether-wake expand expr factor fallocate fbset find flock fold \
    free fuser groups hd head hexdump hostid id install ipcrm ipcs killall killall5 last less loadfont logger lsof lsusb \
    lzcat lzma lzopcat md5sum mesg microcom mkfifo mkpasswd nanddump nandwrite nbd-client nc nl nmeter nohup nproc \
    nsenter nslookup ntpd od openvt partprobe passwd paste pgrep pkill pmap pr printf pscan pstree pwdx rdate rdev \
    readahead readlink realpath remove-shell renice reset resize rfkill sendmail seq setfont setkeycodes setlogcons \
    setsid sha1sum sha256sum sha3sum sha512sum showkey shred shuf sort split strings sum tac tail tee test time timeout \
    top tr traceroute traceroute6 tree truncate tty ttysize udhcpc6 unexpand uniq unix2dos unlink unlzma unlzop unshare \
    unxz unzip uptime uudecode uuencode vi vlock volname wc wget which who whoami whois xargs xxd xzcat yes";

/// Commands of Alpine that are no part of BusyBox, in `/usr/bin` and `/sbin`.
pub(super) const ALPINE: &str = "getconf getent iconv ldd apk ssl_client scanelf";

/// Commands of Debian's and Ubuntu's base images.
pub(super) const DEBIAN: &str = "[ addpart apt apt-cache apt-cdrom apt-config apt-get apt-mark arch awk b2sum base32 \
    base64 basename basenc bash bashbug captoinfo cat chage chattr chcon chfn chgrp choom chmod chown chroot chrt chsh \
    cksum clear clear_console cmp comm cp csplit cut dash date dd deb-systemd-helper deb-systemd-invoke debconf df diff \
    diff3 dir dircolors dirname dmesg dnsdomainname domainname dpkg dpkg-deb dpkg-divert dpkg-maintscript-helper \
    dpkg-query dpkg-realpath dpkg-split dpkg-statoverride dpkg-trigger du echo egrep env expand expiry expr factor \
    faillog fallocate false fgrep find findmnt flock fmt fold getconf getent getopt gpasswd grep groups gunzip gzexe gzip \
    head hostid hostname iconv id infocmp infotocap install ionice ipcmk ipcrm ipcs ischroot join last lastb lastlog ldd \
    link ln locale localedef logger login logname ls lsattr lsblk lscpu lsipc lslocks lslogins lsmem lsns mawk mcookie \
    md5sum mesg mkdir mkfifo mknod mktemp more mount mountpoint mv namei nawk newgrp nice nisdomainname nl nohup nproc \
    nsenter numfmt od pager partx passwd paste pathchk perl pidof pinky pr printenv printf prlimit ptx pwd rbash readlink \
    realpath rename.ul renice reset resizepart rev rgrep rm rmdir run-parts runcon savelog script scriptlive scriptreplay \
    sdiff sed select-editor sensible-editor sensible-pager seq setarch setpriv setsid setterm sg sh sha1sum sha224sum \
    sha256sum sha384sum sha512sum shred shuf sleep sort split stat stdbuf stty su sum sync tabs tac tail tar taskset tee \
    tempfile test tic timeout toe touch tput tr true truncate tset tsort tty tzselect umount uname uncompress unexpand \
    uniq unlink unshare update-alternatives users utmpdump vdir wall wc wdctl whereis which who whoami xargs yes \
    ypdomainname zcat zcmp zdiff zdump zegrep zfgrep zforce zgrep zless zmore znew";

/// Commands in `/usr/sbin` of Debian's and Ubuntu's base images.
pub(super) const DEBIAN_SBIN: &str = "add-shell addgroup adduser agetty badblocks blkdiscard blkid blockdev chcpu \
    chgpasswd chpasswd cpgr cppw ctrlaltdel debugfs delgroup deluser dumpe2fs e2fsck fsck groupadd groupdel groupmod \
    grpck grpconv iconvconfig installkernel ldconfig losetup mke2fs mkfs mkswap newusers nologin pivot_root pwck pwconv \
    raw remove-shell resize2fs runuser shadowconfig start-stop-daemon sulogin swapoff swapon switch_root useradd userdel \
    usermod vigr vipw wipefs zic zramctl";

/// Tools that `nicolaka/netshoot` adds, as far as the lab can run them or a runbook is likely to ask for them.
pub(super) const NETSHOOT: &str = "bash curl dig drill ethtool fping host httpie iperf iperf3 iptables jq mtr nft ngrep \
    nmap nping openssl scapy socat ss strace tcpdump tcptraceroute termshark tshark vim websocat zsh git ssh";

/// Tools that `istio/proxyv2` adds to Ubuntu.
pub(super) const PROXY: &str = "pilot-agent envoy curl ss ip iptables iptables-save iptables-restore ip6tables \
    conntrack ping tcpdump netstat ifconfig route nc kdig lsof jq sudo ps top free uptime hexdump openssl";

/// Tools that squid's images add.
pub(super) const SQUID: &str = "squid squidclient";

/// A name that is certainly no program of any distribution: with such a name, people ask what happens when a program is
/// missing.
pub(super) fn is_no_program(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["no-such", "nosuch", "no_such", "does-not-exist", "doesnotexist", "nonexist"]
        .iter()
        .any(|part| name.contains(part))
}
