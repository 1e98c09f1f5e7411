/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The DSDT of every Linux guest; compiled twice, once with WITH_TPM.  Windows are those of lazaret/manifest.h.  The serial
 * port has no interrupt on purpose: there is no interrupt controller for it, and Linux then polls.
 */
DefinitionBlock ("", "DSDT", 2, "LAZRET", "LZGUEST", 1)
{
	Name (\_S5, Package () { 5, 5, 0, 0 })

	Scope (\_SB)
	{
		Device (PCI0)
		{
			Name (_HID, EisaId ("PNP0A03"))
			Name (_UID, 0)
			Name (_CRS, ResourceTemplate ()
			{
				WordBusNumber (ResourceProducer, MinFixed, MaxFixed, PosDecode, 0, 0, 0, 0, 1)
				IO (Decode16, 0x0CF8, 0x0CF8, 1, 8)
				WordIO (ResourceProducer, MinFixed, MaxFixed, PosDecode, EntireRange,
					0, 0xC000, 0xCFFF, 0, 0x1000)
				DWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed, NonCacheable, ReadWrite,
					0, 0x80000000, 0xFEBFFFFF, 0, 0x7EC00000)
				QWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed, NonCacheable, ReadWrite,
					0, 0xC000000000, 0xFFFFFFFFFF, 0, 0x4000000000)
			})
		}

		Device (COM1)
		{
			Name (_HID, EisaId ("PNP0501"))
			Name (_UID, 1)
			Name (_CRS, ResourceTemplate () { IO (Decode16, 0x03F8, 0x03F8, 1, 8) })
		}

#ifdef WITH_TPM
		Device (TPM0)
		{
			Name (_HID, "MSFT0101")
			Name (_CRS, ResourceTemplate () { Memory32Fixed (ReadWrite, 0xFED40000, 0x1000) })
		}
#endif
	}
}
