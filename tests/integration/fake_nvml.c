/* A stand-in for libnvidia-ml.so.1, as nvml.h declares what is used: two cards at 0000:03:00.0 and 0000:04:00.0. The second one is of before Volta and keeps no
   count. The test moves time and takes rights away; how often the library is open is counted. */
#include <string.h>

enum { OK = 0, UNINITIALIZED = 1, NOT_SUPPORTED = 3, NO_PERMISSION = 4, NOT_FOUND = 6 };

typedef struct card { const char *bus; unsigned milliwatts; unsigned long long millijoules; int counts, persistence; } card;

static card cards[] = {{"0000:03:00.0", 30000, 5000000, 1, 0}, {"0000:04:00.0", 8500, 0, 0, 0}};
int fake_open, fake_root = 1;

void fake_pass(unsigned seconds) {
    for (int n = 0; n < 2; n++) cards[n].millijoules += (unsigned long long)seconds * cards[n].milliwatts;
}

int nvmlInitWithFlags(unsigned flags) { (void)flags; fake_open++; return OK; }
int nvmlShutdown(void) { if (!fake_open) return UNINITIALIZED; fake_open--; return OK; }

int nvmlDeviceGetHandleByPciBusId_v2(const char *bus, card **found) {
    if (!fake_open) return UNINITIALIZED;
    for (int n = 0; n < 2; n++) if (!strcmp(cards[n].bus, bus)) { *found = &cards[n]; return OK; }
    return NOT_FOUND;
}

int nvmlDeviceGetTotalEnergyConsumption(card *c, unsigned long long *energy) { *energy = c->millijoules; return c->counts ? OK : NOT_SUPPORTED; }
int nvmlDeviceGetPowerUsage(card *c, unsigned *power) { *power = c->milliwatts; return OK; }
int nvmlDeviceGetPersistenceMode(card *c, int *mode) { *mode = c->persistence; return OK; }
int nvmlDeviceSetPersistenceMode(card *c, int mode) { if (!fake_root) return NO_PERMISSION; c->persistence = mode; return OK; }

/* pynvml takes its words for errors from here. */
const char *nvmlErrorString(int result) {
    static const char *words[] = {"Success", "Uninitialized", "Invalid Argument", "Not Supported", "Insufficient Permissions", "Already Initialized", "Not Found"};
    return result < 7 ? words[result] : "Unknown Error";
}
