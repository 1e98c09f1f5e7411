/* SPDX-License-Identifier: Apache-2.0 */
#include "enrol.h"
#include "ekid.h"

#include <string.h>

#include <mbedtls/platform_util.h>

/* The EK is a storage key that cannot leave its TPM; anything else would open credentials for whoever asks. */
static bool check_ek(const struct tpm_public *ek, struct fault *f)
{
	const uint32_t must = TPM_ATTR_FIXED_TPM | TPM_ATTR_FIXED_PARENT | TPM_ATTR_SENSITIVE_DATA_ORIGIN |
			      TPM_ATTR_RESTRICTED | TPM_ATTR_DECRYPT;

	if ((ek->attributes & (must | TPM_ATTR_SIGN)) == must)
		return true;
	return fault_set_text(f, FAULT_EK_KEY, "endorsement key",
			      "fixedTPM, fixedParent, sensitiveDataOrigin, restricted, decrypt; not sign",
			      "attributes %08x", ek->attributes);
}

bool enrol_begin(const char *roots, struct bytes ek_certificate, struct bytes ek_area, struct bytes ak_area,
		 struct enrolment *e, struct credential *out, struct fault *f)
{
	struct tpm_public ek, ak;

	memset(e, 0, sizeof(*e));
	if (!public_parse(ek_area, &ek, f) || !check_ek(&ek, f) || !ekcert_check(ek_certificate, roots, &ek, f) ||
	    !ekid_of_key(&ek, e->ak.ek, f) || !public_parse(ak_area, &ak, f) || !public_check_ak(&ak, f))
		return false;
	e->ak.name_length = public_name(ak_area, ak.name_alg, e->ak.name);
	if (e->ak.name_length == 0 || ak_area.length > sizeof(e->ak.area))
		return fault_set_text(f, FAULT_AK_NAME, "attestation key", "a Name by SHA-256 or SHA-384", "%04x",
				      ak.name_alg);
	memcpy(e->ak.area, ak_area.data, ak_area.length);
	e->ak.area_length = ak_area.length;
	ek_certificate = ekcert_unwrap(ek_certificate);
	sha384(e->ak.ek_certificate, ek_certificate.data, ek_certificate.length);
	random_fill(e->secret, sizeof(e->secret));
	e->pending = credential_make(&ek, (struct bytes){ e->ak.name, e->ak.name_length }, e->secret, out, f);
	return e->pending;
}

bool enrol_finish(struct enrolment *e, struct bytes secret, struct fault *f)
{
	uint8_t difference = 0;
	bool ok = e->pending && secret.length == sizeof(e->secret);

	for (size_t i = 0; ok && i < sizeof(e->secret); i++)
		difference |= (uint8_t)(e->secret[i] ^ secret.data[i]);
	e->pending = false;
	mbedtls_platform_zeroize(e->secret, sizeof(e->secret));
	return (ok && difference == 0) ||
	       fault_set(f, FAULT_CREDENTIAL, "enrolment", "the secret that the credential protects", "another answer");
}
