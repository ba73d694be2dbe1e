/* The cheapest program there is, without a C library: it exits at once. For storms of more than 5,000 a second on two cores;
 * with the library, even linked statically, the same cores reach half of that.
 */
void _start(void) {
#if defined(__x86_64__)
    __asm__ volatile("syscall" : : "a"(60), "D"(0));
#elif defined(__aarch64__)
    register long number __asm__("x8") = 93, status __asm__("x0") = 0;
    __asm__ volatile("svc 0" : : "r"(number), "r"(status));
#else
#error "write exit(0) for this machine"
#endif
    for (;;) {}
}
