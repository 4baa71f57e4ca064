(000) ldh      [12]
(001) jeq      #0x800           jt 2	jf 12
(002) ld       #pktlen
(003) mul      #3
(004) div      #2
(005) st       M[3]
(006) ldb      [22]
(007) tax      
(008) ld       M[3]
(009) xor      x
(010) jge      #0x3c            jt 12	jf 11
(011) ret      #262144
(012) ret      #0
