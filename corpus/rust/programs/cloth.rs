//! A cloth of particles held by springs, in f32: Verlet integration, constraints, collisions with a ball; trait objects for the forces.

use corpus::fold;

#[derive(Clone, Copy)]
struct Vec3 {
    x: f32,
    y: f32,
    z: f32,
}

impl Vec3 {
    fn add(self, o: Self) -> Self {
        Self { x: self.x + o.x, y: self.y + o.y, z: self.z + o.z }
    }

    fn sub(self, o: Self) -> Self {
        Self { x: self.x - o.x, y: self.y - o.y, z: self.z - o.z }
    }

    fn scale(self, s: f32) -> Self {
        Self { x: self.x * s, y: self.y * s, z: self.z * s }
    }

    fn length(self) -> f32 {
        (self.x * self.x + self.y * self.y + self.z * self.z).sqrt()
    }
}

trait Force {
    fn on(&self, at: Vec3, time: f32) -> Vec3;
}

struct Gravity;
struct Wind(f32);

impl Force for Gravity {
    fn on(&self, _: Vec3, _: f32) -> Vec3 {
        Vec3 { x: 0.0, y: -9.8, z: 0.0 }
    }
}

impl Force for Wind {
    fn on(&self, at: Vec3, time: f32) -> Vec3 {
        let gust = (time * 2.0 + at.x * 0.5).rem_euclid(3.0) - 1.0;
        Vec3 { x: 0.0, y: 0.0, z: gust * self.0 }
    }
}

const SIDE: usize = 24;

#[unsafe(no_mangle)]
pub extern "C" fn run(steps: i32) -> i32 {
    let forces: [Box<dyn Force>; 2] = [Box::new(Gravity), Box::new(Wind(4.0))];
    let mut now: Vec<Vec3> = (0..SIDE * SIDE)
        .map(|i| Vec3 { x: (i % SIDE) as f32 * 0.1, y: 2.0, z: (i / SIDE) as f32 * 0.1 })
        .collect();
    let mut before = now.clone();
    let springs: Vec<(usize, usize)> = (0..SIDE * SIDE)
        .flat_map(|i| {
            [
                (i % SIDE + 1 < SIDE).then_some((i, i + 1)),
                (i / SIDE + 1 < SIDE).then_some((i, i + SIDE)),
            ]
        })
        .flatten()
        .collect();
    for step in 0..steps {
        let time = step as f32 / 60.0;
        for i in SIDE..now.len() {
            let force = forces
                .iter()
                .fold(Vec3 { x: 0.0, y: 0.0, z: 0.0 }, |sum, f| sum.add(f.on(now[i], time)));
            let next = now[i].add(now[i].sub(before[i]).scale(0.99)).add(force.scale(1.0 / 3600.0));
            before[i] = now[i];
            now[i] = next;
        }
        for _ in 0..3 {
            for &(a, b) in &springs {
                let apart = now[b].sub(now[a]);
                let fix = apart.scale(0.5 * (1.0 - 0.1 / apart.length().max(1e-6)));
                if a >= SIDE {
                    now[a] = now[a].add(fix);
                }
                if b >= SIDE {
                    now[b] = now[b].sub(fix);
                }
            }
        }
        let ball = Vec3 { x: 1.2, y: 1.0, z: 1.2 };
        for point in &mut now[SIDE..] {
            let away = point.sub(ball);
            if away.length() < 0.5 {
                *point = ball.add(away.scale(0.5 / away.length().max(1e-6)));
            }
        }
    }
    now.iter().fold(0, |sum, p| fold(sum, &[p.x, p.y, p.z].map(|v| (v * 1e4) as i16 as u8))) as i32
}
