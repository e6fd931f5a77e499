/* SPDX-License-Identifier: Apache-2.0 */
/* Races its own execs: a thread flips path and argument between allowed and forbidden while children sharing the memory exec. */
#define _GNU_SOURCE
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <pthread.h>
#include <sys/wait.h>
#include <fcntl.h>
static char path[256]; static char a1[16]; static volatile int stop;
static void*flip(void*x){(void)x;while(!stop){for(volatile int k=0;k<300;k++);memcpy(path,"/workspace/alloweddd",21);memcpy(a1,"good",5);__asm__ volatile("":::"memory");for(volatile int k=0;k<300;k++);memcpy(path,"/workspace/forbidden",21);memcpy(a1,"evil",5);__asm__ volatile("":::"memory");}return 0;}
static int child(void*x){(void)x;char*av[]={"x",a1,0};char*ev[]={0};execve(path,av,ev);_exit(1);}
int main(int c,char**v){int n=atoi(v[1]);pthread_t t;strcpy(path,"/workspace/alloweddd");pthread_create(&t,0,flip,0);int ok=0,ref=0,kill=0;
for(int i=0;i<n;i++){char*st=malloc(65536);int p=clone(child,st+65536,CLONE_VM|SIGCHLD,0),s;if(p<0){perror("clone");break;}waitpid(p,&s,0);if(WIFSIGNALED(s))kill++;else if(WEXITSTATUS(s)==0)ok++;else ref++;free(st);}stop=1;printf("ok %d refused %d killed %d\n",ok,ref,kill);return 0;}
