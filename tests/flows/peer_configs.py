"""Configurations of other trainers, written by us with the keys that their projects use."""

SCRIPTS = """
[model_arguments]
v2 = false
pretrained_model_name_or_path = "pocket"
[dataset_arguments]
train_data_dir = "{pictures}"
reg_data_dir = ""
resolution = "512,768"
prior_loss_weight = 1
[additional_network_arguments]
network_module = "networks.lora"
network_dim = 32
network_alpha = 16
network_args = ["conv_dim=8", "conv_alpha=4", "loraplus_lr_ratio=16", "made_up=3"]
network_train_unet_only = false
scale_weight_norms = 1.0
[optimizer_arguments]
unet_lr = 1e-4
text_encoder_lr = 1e-5
optimizer_type = "AdamW8bit"
optimizer_args = ["weight_decay=0.1", "betas=(0.9, 0.99)"]
lr_scheduler = "cosine_with_restarts"
lr_warmup_steps = 0.1
lr_scheduler_num_cycles = 2
[training_arguments]
train_batch_size = 2
gradient_accumulation_steps = 2
max_train_epochs = 10
noise_offset = 0.05
min_snr_gamma = 5
keep_tokens = 1
caption_extension = ".txt"
max_token_length = 225
seed = 1337
xformers = true
clip_skip = 2
mixed_precision = "bf16"
max_grad_norm = 0
[saving_arguments]
output_name = "my style"
save_every_n_epochs = 1
[others]
cache_latents = true
shuffle_caption = true
enable_bucket = true
min_bucket_reso = 256
bucket_no_upscale = true
learing_rate = 5.0
"""
GUI = {
    "LoRA_type": "LyCORIS/LoKr",
    "pretrained_model_name_or_path": "model.ckpt",
    "network_dim": "64",
    "network_alpha": 32,
    "conv_dim": 8,
    "factor": "-1",
    "decompose_both": True,
    "rank_dropout": 0.1,
    "optimizer": "Prodigy",
    "optimizer_args": 'decouple=True weight_decay=0.01 "betas=0.9,0.99" d_coef=2 use_bias_correction=True',
    "learning_rate": "1.0",
    "unet_lr": "1.0",
    "lr_scheduler": "cosine",
    "lr_warmup": "10",
    "max_train_steps": "300",
    "max_resolution": "512,512",
    "noise_offset_type": "Multires",
    "noise_offset": 0.1,
    "multires_noise_iterations": 6,
    "multires_noise_discount": 0.3,
    "caption_dropout_rate": 0.05,
    "flip_aug": True,
    "down_lr_weight": "1,1,1",
}
EASY = """
[[subsets]]
num_repeats = 3
image_dir = "{pictures}"
[noise_args]
[general_args.args]
pretrained_model_name_or_path = "pocket"
mixed_precision = "fp16"
max_train_steps = 100
[general_args.dataset_args]
resolution = 512
batch_size = 3
[network_args.args]
network_dim = 8
network_alpha = 4.0
[optimizer_args.args]
optimizer_type = "Lion"
lr_scheduler = "constant"
learning_rate = 3e-5
[bucket_args.dataset_args]
enable_bucket = true
[optimizer_args.args.optimizer_args]
weight_decay = 0.1
betas = "0.9,0.99"
"""
HCP_BASE = """
mixed_precision: 'fp16'
seed: 114514
train:
  train_steps: 1000
  gradient_accumulation_steps: 2
  max_grad_norm: 1.0
  scale_lr: True
  save_step: 100
  loss: {criterion: {_target_: hcpdiff.loss.MinSNRLoss, gamma: 2.0}, type: eps}
  optimizer: {_target_: torch.optim.AdamW, _partial_: True, weight_decay: 1e-3}
  scheduler: {name: one_cycle, num_warmup_steps: 200}
model: {pretrained_model_name_or_path: null, tokenizer_repeats: 2, clip_skip: 0, gradient_checkpointing: True}
"""
HCP = """
_base_:
  - cfgs/train/train_base.yaml
size: {area: "512*512"}
lora_unet:
  - {lr: 1e-4, rank: 8, layers: ['re:.*\\.attn.?$', 're:.*\\.ff$']}
lora_text_encoder:
  - {lr: 1e-5, rank: 4, layers: ['re:.*mlp$']}
train:
  train_steps: 600
  scheduler: {name: constant_with_warmup, num_warmup_steps: 50}
model: {pretrained_model_name_or_path: pocket, tokenizer_repeats: 1, clip_skip: 1}
data:
  dataset1:
    batch_size: 4
    source:
      data_source1:
        img_root: 'imgs/'
        prompt_template: 'prompt_tuning_template/object.txt'
        caption_file: null
        word_names: {pt1: sks, class: dog}
        tag_transforms:
          transforms:
            - {_target_: hcpdiff.utils.caption_tools.TagShuffle}
            - {_target_: hcpdiff.utils.caption_tools.TagDropout, p: 0.2}
    bucket: {_target_: hcpdiff.data.bucket.RatioBucket.from_files, target_area: '${hcp.eval:"${size.area}"}'}
"""
NAIFU = """
name: test-run
target: modules.train_lycoris.setup
trainer:
  model_path: pocket
  batch_size: 4
  resolution: 1024
  seed: 1138
  accumulate_grad_batches: 2
  gradient_clip_val: 0.0
  max_epochs: 60
  max_steps: 900
lycoris: {linear_dim: 32, linear_alpha: 16, algo: lokr, multiplier: 1.0}
advanced:
  train_text_encoder_1: true
  text_encoder_1_lr: 5e-5
  offset_noise: true
  offset_noise_val: 0.0375
  min_snr: false
  min_snr_val: 5
  v_parameterization: false
lightning: {accelerator: gpu, devices: -1, precision: 16-mixed}
dataset: {img_path: /pictures, max_token_length: 225}
optimizer: {name: bitsandbytes.optim.AdamW8bit, params: {lr: 1e-4, weight_decay: 1e-2}}
scheduler: {name: transformers.get_constant_schedule_with_warmup, params: {num_warmup_steps: 20, last_epoch: -1}}
sampling: {enabled: true, seed: 1234, prompts: [a girl]}
"""
