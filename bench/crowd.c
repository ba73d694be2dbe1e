/* crowd PROCESSES CONNECTIONS: an arena. Makes pid, mount and network namespaces of its own with exactly so many processes
 * in them, and so many established TCP connections on the loopback; prints the process id of its first process, which
 * nsenter(1) takes; ends, and everything in it, when its standard input does.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { EACH = 1000 }; /* connections a process holds, two descriptors each */

static void must(int failed, const char *what) {
    if (failed) { perror(what); _exit(1); }
}

static void loopback_up(void) {
    struct ifreq lo = {.ifr_name = "lo", .ifr_flags = IFF_UP};
    int any = socket(AF_INET, SOCK_DGRAM, 0);
    must(ioctl(any, SIOCSIFFLAGS, &lo), "lo");
    close(any);
}

static void connections(int count) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof at;
    struct rlimit files = {4096, 4096};
    setrlimit(RLIMIT_NOFILE, &files);
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    must(bind(listener, (struct sockaddr *)&at, size), "bind");
    must(listen(listener, 16), "listen");
    getsockname(listener, (struct sockaddr *)&at, &size);
    for (int i = 0; i < count; i++) {
        int caller = socket(AF_INET, SOCK_STREAM, 0);
        must(connect(caller, (struct sockaddr *)&at, size), "connect");
        must(accept(listener, NULL, NULL) < 0, "accept");
    }
}

/* One that waits, holding so many connections. */
static void child(int sockets) {
    int done[2];
    char byte;
    must(pipe(done), "pipe");
    pid_t pid = fork();
    must(pid < 0, "fork");
    if (pid == 0) {
        close(done[0]);
        if (sockets) connections(sockets);
        must(write(done[1], "x", 1) != 1, "write");
        close(done[1]);
        for (;;) pause();
    }
    close(done[1]);
    must(read(done[0], &byte, 1) != 1, "a child");
    close(done[0]);
}

static _Noreturn void first(int processes, int sockets, int outside) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    must(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), "private mounts");
    must(mount("proc", "/proc", "proc", 0, NULL), "/proc");
    must(mount("none", "/dev/pts", "devpts", 0, NULL), "/dev/pts");
    loopback_up();
    signal(SIGCHLD, SIG_IGN); /* whoever is entered here leaves no zombies */
    for (int i = 1; i < processes; i++) {
        int mine = sockets < EACH ? sockets : EACH;
        child(mine);
        sockets -= mine;
    }
    must(write(outside, "x", 1) != 1, "write");
    for (;;) pause();
}

int main(int argc, char **argv) {
    int ready[2];
    char byte;
    if (argc != 3) return 2;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    must(unshare(CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWNET), "unshare");
    must(pipe(ready), "pipe");
    pid_t pid = fork();
    must(pid < 0, "fork");
    if (pid == 0) first(atoi(argv[1]), atoi(argv[2]), ready[1]);
    close(ready[1]);
    must(read(ready[0], &byte, 1) != 1, "the first process");
    printf("%d\n", pid);
    fflush(stdout);
    while (read(0, &byte, 1) > 0) {}
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    return 0;
}
