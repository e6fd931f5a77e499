/* SPDX-License-Identifier: Apache-2.0 */
/* Leaves a mark in DIR that says which program ran: MARK, or "evil" for that argument. */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	const char *what = argc > 1 && !strcmp(argv[1], "evil") ? "evil\n" : MARK;
	int fd = open(DIR "/marks", O_WRONLY | O_APPEND | O_CREAT, 0666);

	return write(fd, what, strlen(what)) < 0;
}
