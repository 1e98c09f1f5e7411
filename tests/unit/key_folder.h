/* SPDX-License-Identifier: Apache-2.0 */
/* A folder of their own for tests of the policy compiler, with a verifier's key "v.lzrkey" in it. */
#ifndef KEY_FOLDER_H
#define KEY_FOLDER_H

extern char key_folder[];

/* For cmocka's groups: made, and removed with all that lies in it. */
int key_folder_make(void **state);
int key_folder_remove(void **state);

#endif
