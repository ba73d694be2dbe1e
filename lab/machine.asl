// What QEMU's firmware lacks: P-states, C-states and a power meter, so that Linux drives them with its own drivers.
//
// The registers are the four scratch bytes of QEMU's pc-testdev, I/O ports 0xE0 to 0xE3: what is written reads back.
//   0xE0, 0xE1   P-state of core 0 and of core 1, 0 is the fastest (acpi-cpufreq, one policy for the two threads of a core)
//   0xE2, 0xE3   what the rest of the machine draws, in 0.1 W; set from outside; 0 means 60.0 W
// And a cure: SeaBIOS starts every processor at a wake-up, each takes a lock in the segment at 0xF0000 and halts; but it has left that
// segment read-only, so all wait for ever, writing to a ROM. Linux fetches those that are on; one that is off went on so, and the whole guest
// was ten times as slow (QEMU 7.2, SeaBIOS 1.16). So the segment is made writable (82441FX, register PAM0) before each sleep.
// ACPI 6.4: sections 7.4.1 (_PTS), 8.4.1 (_CST), 8.4.5 (_PCT, _PSS, _PPC, _PSD), 10.4 (power meters).
DefinitionBlock ("", "SSDT", 2, "PWRNAP", "LAB", 1)
{
    External (\_SB.PCI0, DeviceObj)
    External (\_SB.CPUS.C000, DeviceObj)
    External (\_SB.CPUS.C001, DeviceObj)
    External (\_SB.CPUS.C002, DeviceObj)
    External (\_SB.CPUS.C003, DeviceObj)

    OperationRegion (SCRT, SystemIO, 0xE0, 4)
    Field (SCRT, ByteAcc, NoLock, Preserve) { PST0, 8, PST1, 8, BASL, 8, BASH, 8 }

    // MHz, mW, latency and bus latency in us, control value, status value
    Name (\PSTA, Package () {
        Package () { 3000, 40000, 10, 10, 0, 0 },
        Package () { 2400, 27000, 10, 10, 1, 1 },
        Package () { 1800, 18000, 10, 10, 2, 2 },
        Package () { 1200, 11000, 10, 10, 3, 3 } })
    Name (\CTL0, Package () {
        ResourceTemplate () { Register (SystemIO, 8, 0, 0xE0) },
        ResourceTemplate () { Register (SystemIO, 8, 0, 0xE0) } })
    Name (\CTL1, Package () {
        ResourceTemplate () { Register (SystemIO, 8, 0, 0xE1) },
        ResourceTemplate () { Register (SystemIO, 8, 0, 0xE1) } })
    // Both are entered by HLT: Linux reads a port for a state of type 2, which would not stop an emulated processor but spin.
    Name (\IDLE, Package () { 2,
        Package () { ResourceTemplate () { Register (FFixedHW, 0, 0, 0) }, 1,  2, 1000 },
        Package () { ResourceTemplate () { Register (FFixedHW, 0, 0, 0) }, 1, 50,  400 } })

    Scope (\_SB.CPUS.C000) {
        Method (_PCT) { Return (\CTL0) }  Method (_PSS) { Return (\PSTA) }  Name (_PPC, 0)
        Name (_PSD, Package () { Package () { 5, 0, 0, 0xFC, 2 } })
        Method (_CST) { Return (\IDLE) }
    }
    Scope (\_SB.CPUS.C001) {
        Method (_PCT) { Return (\CTL0) }  Method (_PSS) { Return (\PSTA) }  Name (_PPC, 0)
        Name (_PSD, Package () { Package () { 5, 0, 0, 0xFC, 2 } })
        Method (_CST) { Return (\IDLE) }
    }
    Scope (\_SB.CPUS.C002) {
        Method (_PCT) { Return (\CTL1) }  Method (_PSS) { Return (\PSTA) }  Name (_PPC, 0)
        Name (_PSD, Package () { Package () { 5, 0, 1, 0xFC, 2 } })
        Method (_CST) { Return (\IDLE) }
    }
    Scope (\_SB.CPUS.C003) {
        Method (_PCT) { Return (\CTL1) }  Method (_PSS) { Return (\PSTA) }  Name (_PPC, 0)
        Name (_PSD, Package () { Package () { 5, 0, 1, 0xFC, 2 } })
        Method (_CST) { Return (\IDLE) }
    }

    Scope (\_SB.PCI0) {
        Device (HOST) {
            Name (_ADR, 0)
            OperationRegion (PAM, PCI_Config, 0x59, 1)
            Field (PAM, ByteAcc, NoLock, Preserve) { , 4, SEGF, 2 }
        }
    }
    Method (\_PTS, 1) { \_SB.PCI0.HOST.SEGF = 3 }

    Scope (\_SB) {
        Device (PMTR) {
            Name (_HID, "ACPI000D")
            Name (_UID, 0)
            Name (AVGI, 1000)
            // measures only; mW; input power; accuracy in 0.001 %; sampling time; averaging interval from, to; hysteresis; no hard limit
            Name (_PMC, Package () { 1, 0, 0, 100000, 50, 50, 300000, 0, 0, 0, 0, "PowerNap lab", "1", "QEMU" })
            Method (_STA) { Return (0x0F) }
            Method (_PMD) { Return (Package () { \_SB }) }
            Method (_GAI) { Return (AVGI) }
            Method (_PAI, 1) { AVGI = Arg0  Return (0) }
            Method (_PTP, 2) { Return (0) }
            Method (DRAW, 1) { Return (DerefOf (DerefOf (\PSTA [(Arg0 & 3)]) [1])) }
            Method (_PMM) {
                Local0 = ((BASH << 8) | BASL)
                If (Local0 == 0) { Local0 = 600 }
                Return (((Local0 * 100) + DRAW (PST0)) + DRAW (PST1))
            }
        }
    }
}
