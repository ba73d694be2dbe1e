/* spawn RATE SECONDS PROGRAM [ARG...]: start programs at a pace (0: as fast as it goes), reap them, print how many a second.
 * SIGTERM ends it early.
 * Called as anything else ("nop"): exit at once.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

static volatile sig_atomic_t over;
static void stop(int number) { (void)number; over = 1; }

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

int main(int argc, char **argv) {
    if (!strstr(argv[0], "spawn") || argc < 4) return 0;
    double rate = atof(argv[1]), seconds = atof(argv[2]), begin = now();
    long started = 0;
    int running = 0;
    char *none[] = {NULL};
    signal(SIGTERM, stop);
    while (!over && now() - begin < seconds) {
        long due = rate > 0 ? (long)((now() - begin) * rate) : started + 16;
        for (; started < due && running < 64; started++, running++) {
            pid_t pid;
            if (posix_spawn(&pid, argv[3], NULL, NULL, argv + 3, none)) return 1;
        }
        while (running && waitpid(-1, NULL, rate > 0 && running < 64 ? WNOHANG : 0) > 0) running--;
        if (rate > 0) nanosleep(&(struct timespec){0, 1000000}, NULL);
    }
    while (wait(NULL) > 0) {}
    printf("%.0f\n", started / (now() - begin));
    return 0;
}
