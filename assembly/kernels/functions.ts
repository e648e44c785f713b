/**
 * The element-wise functions. Each is a class without fields, whose `this` is the address of the math constants: AssemblyScript's way to hand
 * inlined code to a generic loop. Infinities give the limits, NaN goes through; in `mask` a NaN lies left of every kink.
 */
import { Constant, cdf4, exp4, k4, log1p4, madd, sigmoid4, tanh4 } from '../engine/math';

/** A function: `this` is the address of the constants, `k` one of them. */
@unmanaged export class Curve {
  @inline get t(): usize {
    return changetype<usize>(this);
  }
  @inline k(constant: Constant): v128 {
    return k4(changetype<usize>(this), constant);
  }
}

// Piecewise linear: value(x), mask(x) = which of the two slopes, pick(dy, mask) = slope·dy.

@unmanaged export class Relu extends Curve {
  @inline value(x: v128): v128 {
    return f32x4.pmax(x, i32x4.splat(0));
  }
  @inline mask(x: v128): v128 {
    return f32x4.gt(x, i32x4.splat(0));
  }
  @inline pick(dy: v128, mask: v128): v128 {
    return v128.and(dy, mask);
  }
}

@unmanaged export class Relu6 extends Curve {
  @inline value(x: v128): v128 {
    return f32x4.pmin(f32x4.pmax(x, i32x4.splat(0)), this.k(Constant.Six));
  }
  @inline mask(x: v128): v128 {
    return v128.and(f32x4.gt(x, i32x4.splat(0)), f32x4.lt(x, this.k(Constant.Six)));
  }
  @inline pick(dy: v128, mask: v128): v128 {
    return v128.and(dy, mask);
  }
}

@unmanaged export class LeakyRelu extends Curve {
  @inline value(x: v128): v128 {
    return f32x4.pmax(x, f32x4.mul(x, this.k(Constant.Leak)));
  }
  @inline mask(x: v128): v128 {
    return f32x4.gt(x, i32x4.splat(0));
  }
  @inline pick(dy: v128, mask: v128): v128 {
    return v128.bitselect(dy, f32x4.mul(dy, this.k(Constant.Leak)), mask);
  }
}

@unmanaged export class HardSigmoid extends Curve {
  @inline value(x: v128): v128 {
    return f32x4.mul(
      f32x4.pmin(f32x4.pmax(f32x4.add(x, this.k(Constant.Three)), i32x4.splat(0)), this.k(Constant.Six)),
      this.k(Constant.Sixth),
    );
  }
  @inline mask(x: v128): v128 {
    return f32x4.lt(f32x4.abs(x), this.k(Constant.Three));
  }
  @inline pick(dy: v128, mask: v128): v128 {
    return v128.and(f32x4.mul(dy, this.k(Constant.Sixth)), mask);
  }
}

@unmanaged export class HardTanh extends Curve {
  @inline value(x: v128): v128 {
    return f32x4.pmin(f32x4.pmax(x, f32x4.neg(this.k(Constant.One))), this.k(Constant.One));
  }
  @inline mask(x: v128): v128 {
    return f32x4.lt(f32x4.abs(x), this.k(Constant.One));
  }
  @inline pick(dy: v128, mask: v128): v128 {
    return v128.and(dy, mask);
  }
}

// Smooth: value(x), slope(x) = f′(x). Products with x take it clamped, where f or f′ has long reached its limit, so that ∞·0 never arises.

@unmanaged export class Sigmoid extends Curve {
  @inline value(x: v128): v128 {
    return sigmoid4(x, this.t);
  }
  @inline slope(x: v128): v128 {
    const s = sigmoid4(x, this.t);
    return f32x4.mul(s, f32x4.sub(this.k(Constant.One), s));
  }
}

@unmanaged export class Tanh extends Curve {
  @inline value(x: v128): v128 {
    return tanh4(x, this.t);
  }
  @inline slope(x: v128): v128 {
    const y = tanh4(x, this.t);
    return f32x4.mul(f32x4.sub(this.k(Constant.One), y), f32x4.add(this.k(Constant.One), y));
  }
}

@unmanaged export class HardSwish extends Curve {
  @inline value(x: v128): v128 {
    const z = f32x4.pmax(x, this.k(Constant.MinusThree));
    return f32x4.mul(z, f32x4.mul(f32x4.pmin(f32x4.add(z, this.k(Constant.Three)), this.k(Constant.Six)), this.k(Constant.Sixth)));
  }
  @inline slope(x: v128): v128 {
    const inside = madd(x, this.k(Constant.Third), this.k(Constant.Half));
    const right = v128.bitselect(this.k(Constant.One), inside, f32x4.ge(x, this.k(Constant.Three)));
    return v128.andnot(right, f32x4.le(x, this.k(Constant.MinusThree)));
  }
}

@unmanaged export class Silu extends Curve {
  @inline value(x: v128): v128 {
    return f32x4.mul(f32x4.pmax(x, this.k(Constant.Low)), sigmoid4(x, this.t));
  }
  @inline slope(x: v128): v128 {
    const s = sigmoid4(x, this.t);
    const z = f32x4.pmin(f32x4.pmax(x, this.k(Constant.Low)), this.k(Constant.High));
    return f32x4.mul(s, madd(z, f32x4.sub(this.k(Constant.One), s), this.k(Constant.One)));
  }
}

@unmanaged export class Gelu extends Curve {
  @inline value(x: v128): v128 {
    return f32x4.mul(f32x4.pmax(x, this.k(Constant.CdfLow)), f32x4.add(this.k(Constant.Half), cdf4(x, this.t)));
  }
  @inline slope(x: v128): v128 {
    const z = f32x4.pmin(f32x4.pmax(x, this.k(Constant.Low)), this.k(Constant.High));
    const density = f32x4.mul(exp4(f32x4.mul(f32x4.mul(z, this.k(Constant.MinusHalf)), z), this.t), this.k(Constant.Density));
    return madd(z, density, f32x4.add(this.k(Constant.Half), cdf4(x, this.t)));
  }
}

/** x·σ(2u), u = √(2/π)·(x + 0.044715·x³): the same as x/2·(1 + tanh u). */
@unmanaged export class GeluTanh extends Curve {
  @inline value(x: v128): v128 {
    const z = f32x4.pmax(x, this.k(Constant.Low));
    const w = f32x4.mul(z, madd(f32x4.mul(z, z), this.k(Constant.GeluCubic), this.k(Constant.GeluLinear)));
    return f32x4.mul(z, sigmoid4(w, this.t));
  }
  @inline slope(x: v128): v128 {
    const z = f32x4.pmin(f32x4.pmax(x, this.k(Constant.Low)), this.k(Constant.High));
    const s = f32x4.mul(z, z);
    const w = f32x4.mul(z, madd(s, this.k(Constant.GeluCubic), this.k(Constant.GeluLinear)));
    const g = sigmoid4(w, this.t);
    // z·dw/dz
    const zdw = f32x4.mul(z, madd(s, this.k(Constant.GeluCubic3), this.k(Constant.GeluLinear)));
    return f32x4.mul(g, madd(zdw, f32x4.sub(this.k(Constant.One), g), this.k(Constant.One)));
  }
}

/** x·σ(1.702·x). */
@unmanaged export class QuickGelu extends Curve {
  @inline value(x: v128): v128 {
    return f32x4.mul(f32x4.pmax(x, this.k(Constant.Low)), sigmoid4(f32x4.mul(x, this.k(Constant.Quick)), this.t));
  }
  @inline slope(x: v128): v128 {
    const z = f32x4.mul(f32x4.pmin(f32x4.pmax(x, this.k(Constant.Low)), this.k(Constant.High)), this.k(Constant.Quick));
    const s = sigmoid4(z, this.t);
    return f32x4.mul(s, madd(z, f32x4.sub(this.k(Constant.One), s), this.k(Constant.One)));
  }
}

/** x where it is positive, else e^x - 1. */
@unmanaged export class Elu extends Curve {
  @inline value(x: v128): v128 {
    const left = f32x4.sub(exp4(f32x4.pmin(x, i32x4.splat(0)), this.t), this.k(Constant.One));
    return v128.bitselect(x, left, f32x4.gt(x, i32x4.splat(0)));
  }
  @inline slope(x: v128): v128 {
    return exp4(f32x4.pmin(x, i32x4.splat(0)), this.t);
  }
}

/** λ·x where x is positive, else λ·α·(e^x - 1). */
@unmanaged export class Selu extends Curve {
  @inline value(x: v128): v128 {
    const left = f32x4.mul(f32x4.sub(exp4(f32x4.pmin(x, i32x4.splat(0)), this.t), this.k(Constant.One)), this.k(Constant.SeluLeft));
    return v128.bitselect(f32x4.mul(x, this.k(Constant.SeluRight)), left, f32x4.gt(x, i32x4.splat(0)));
  }
  @inline slope(x: v128): v128 {
    const left = f32x4.mul(exp4(f32x4.pmin(x, i32x4.splat(0)), this.t), this.k(Constant.SeluLeft));
    return v128.bitselect(this.k(Constant.SeluRight), left, f32x4.gt(x, i32x4.splat(0)));
  }
}

/**
 * x·tanh(log(1 + e^x)). With n = e^x and m = n·(n + 2) the tanh is m/(m + 2), which needs no logarithm; and f′ = m/(m + 2) + x·4·n·(n + 1)/(m + 2)².
 * From 20 on, where m would leave f32, both are at their limits.
 */
@unmanaged export class Mish extends Curve {
  @inline m(n: v128): v128 {
    return f32x4.mul(n, f32x4.add(n, this.k(Constant.Two)));
  }
  @inline value(x: v128): v128 {
    const m = this.m(exp4(f32x4.pmin(x, this.k(Constant.Twenty)), this.t));
    return f32x4.mul(f32x4.pmax(x, this.k(Constant.Low)), f32x4.div(m, f32x4.add(m, this.k(Constant.Two))));
  }
  @inline slope(x: v128): v128 {
    const z = f32x4.pmin(f32x4.pmax(x, this.k(Constant.Low)), this.k(Constant.Twenty));
    const n = exp4(z, this.t);
    const m = this.m(n);
    const below = f32x4.add(m, this.k(Constant.Two));
    const four = f32x4.mul(this.k(Constant.Two), this.k(Constant.Two));
    const bend = f32x4.div(f32x4.mul(four, f32x4.mul(n, f32x4.add(n, this.k(Constant.One)))), f32x4.mul(below, below));
    return madd(z, bend, f32x4.div(m, below));
  }
}

/** log(1 + e^x) = max(x, 0) + log(1 + e^-|x|). */
@unmanaged export class Softplus extends Curve {
  @inline value(x: v128): v128 {
    return f32x4.add(f32x4.pmax(x, i32x4.splat(0)), log1p4(exp4(f32x4.neg(f32x4.abs(x)), this.t), this.t));
  }
  @inline slope(x: v128): v128 {
    return sigmoid4(x, this.t);
  }
}
