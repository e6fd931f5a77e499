/* SPDX-License-Identifier: Apache-2.0 */
/* Leaves a mark that says which program ran and with what argument. */
#include <fcntl.h>
#include <unistd.h>
#include <string.h>
int main(int c,char**v){const char*n=v[0];const char*what=strstr(n,"forbidden")?"FORBIDDEN\n":(c>1&&!strcmp(v[1],"evil"))?"EVIL\n":"good\n";(void)c;
#ifdef BAD
what="FORBIDDEN\n";
#endif
int f=open("/tmp/marks",O_WRONLY|O_APPEND|O_CREAT,0666);write(f,what,strlen(what));return 0;}
