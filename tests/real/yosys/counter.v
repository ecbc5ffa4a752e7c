// A counter that shows itself, a shift register that follows it, and a small memory that both write to.
module top(input clk, input reset, input [3:0] key, output reg [7:0] leds, output serial);
    reg [23:0] count;
    reg [15:0] noise;
    reg [7:0] history [0:255];
    reg [7:0] recalled;
    reg [1:0] state;

    wire feedback = noise[15] ^ noise[13] ^ noise[12] ^ noise[10];
    wire [7:0] product = noise[3:0] * key;

    always @(posedge clk) begin
        if (reset) begin
            count <= 0;
            noise <= 16'hace1;
            state <= 0;
        end else begin
            count <= count + 1;
            noise <= {noise[14:0], feedback};
            history[count[7:0]] <= product;
            recalled <= history[noise[7:0]];
            case (state)
                0: if (key[0]) state <= 1;
                1: if (count[3:0] == 4'd9) state <= 2;
                2: if (recalled > product) state <= 3;
                3: state <= key[1] ? 0 : 1;
            endcase
        end
        case (state)
            0: leds <= count[23:16];
            1: leds <= noise[7:0] - recalled;
            2: leds <= recalled + product;
            3: leds <= ~count[7:0];
        endcase
    end

    assign serial = noise[0] ^ state[1];
endmodule
