/* SPDX-License-Identifier: Apache-2.0 */
/* File systems that are windows into the kernel: a host may have them mounted anywhere, and no session is shown one of the host's. */
#ifndef COMMON_KERNFS_H
#define COMMON_KERNFS_H

#include <stdbool.h>

bool kernfs_at(int fd); /* fd may be O_PATH. What cannot be asked is taken for one */

#endif
