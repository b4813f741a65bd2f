package embed
import ("testing";"github.com/faceverify/fv/internal/kernel";"github.com/faceverify/fv/internal/nn";"os";"time";"fmt";"slices")
func TestZZ(t *testing.T){
 name:=os.Getenv("NET"); if name=="" {t.Skip()}
 net,err:=Backbone(name, BackboneOptions{Embedding:512,Height:112,Width:112}); if err!=nil{t.Fatal(err)}
 const n=64
 pool:=kernel.NewPool(2)
 tr,err:=nn.NewTraining(net,n,pool); if err!=nil{t.Fatal(err)}
 theta:=make([]float32,nn.Len(net.Params())); buf:=make([]float32,nn.Len(net.Buffers())); net.Init(theta,buf,1)
 im:=make([]float32,n*112*112*3); for i:=range im { im[i]=float32(i%255)/127-1 }
 d:=make([]float32,len(theta)); var f,b []float64
 for range 6 {
  t0:=time.Now(); y:=tr.Forward(theta,im,n); t1:=time.Now(); tr.Backward(theta,y,d); t2:=time.Now()
  f=append(f,t1.Sub(t0).Seconds()); b=append(b,t2.Sub(t1).Seconds())
 }
 slices.Sort(f); slices.Sort(b)
 fmt.Printf("%s fwd %.3f bwd %.3f  img/s %.1f  MiB %d\n",name,f[2],b[2],64/(f[2]+b[2]),tr.Bytes()>>20)
}
