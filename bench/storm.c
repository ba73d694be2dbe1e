/* storm RATE SECONDS PROGRAM [ARG...]: start programs at this pace (0: as fast as it goes), reap them as they end.
 * Prints a JSON line: how many were started, in which time, and the CPU that they and we took.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MOST = 64 }; /* children at once */
static volatile sig_atomic_t over;
static void stop(int number) { (void)number; over = 1; }

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

static double used(int who) {
    struct rusage u;
    getrusage(who, &u);
    return u.ru_utime.tv_sec + u.ru_stime.tv_sec + (u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

int main(int argc, char **argv) {
    if (argc < 4) return 2;
    double rate = atof(argv[1]), seconds = atof(argv[2]), begin = now(), passed;
    long started = 0, running = 0;
    char *none[] = {NULL};
    signal(SIGTERM, stop);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    while (!over && (passed = now() - begin) < seconds) {
        long due = rate > 0 ? (long)(passed * rate) : started + 16;
        for (; started < due && running < MOST; started++, running++) {
            pid_t pid;
            if (posix_spawn(&pid, argv[3], NULL, NULL, argv + 3, none)) return 1;
        }
        while (running && waitpid(-1, NULL, rate > 0 && running < MOST ? WNOHANG : 0) > 0) running--;
        if (rate > 0) nanosleep(&(struct timespec){0, 2000000}, NULL);
    }
    passed = now() - begin;
    while (wait(NULL) > 0) {}
    printf("{\"started\": %ld, \"seconds\": %.3f, \"cpu\": %.6f}\n", started, passed,
           used(RUSAGE_SELF) + used(RUSAGE_CHILDREN));
    return 0;
}
