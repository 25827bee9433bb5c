"""The checks for Linux. A new one is one module, its test, and its line here."""

from leadglass_agent.checks.linux import (
    clock_sync,
    disk_encryption,
    firewall,
    forbidden_software,
    malware_scan,
    os_patch,
    vpn,
)

CHECKS = (
    disk_encryption.CHECK,
    firewall.CHECK,
    malware_scan.CHECK,
    os_patch.CHECK,
    vpn.CHECK,
    clock_sync.CHECK,
    forbidden_software.CHECK,
)
