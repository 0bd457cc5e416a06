#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""scan.py FROM TO - Argus text: 192.0.2.9 asks port 445 of 198.51.100.FROM..TO, one every two seconds, and nobody answers."""
import sys

first, last = int(sys.argv[1]), int(sys.argv[2])
print("StartTime,Dur,Proto,SrcAddr,Sport,Dir,DstAddr,Dport,State,sTos,dTos,TotPkts,TotBytes,SrcBytes,Label")
for i in range(first, last + 1):
    print(f"2024/03/01 09:{i * 2 // 60:02d}:{i * 2 % 60:02d}.000000,0.0,tcp,192.0.2.9,{1024 + i},   ->,198.51.100.{i},445,S_,0,,1,60,60,x")
