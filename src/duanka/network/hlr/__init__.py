"""Home register (归属位置寄存器): OsmoHLR through VTY and CTRL."""
